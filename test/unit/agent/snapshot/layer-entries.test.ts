import test from 'ava';
import { planEntry } from '../../../../agent/snapshot/layer-entries.ts';
import type { TarEntry } from '../../../../agent/snapshot/tar-reader.ts';

const MAX_ID = 65_535;
const entry = (fields: Partial<TarEntry>): TarEntry => Object.freeze({
  type: 'file', name: 'a', linkName: '', mode: 0o644, uid: 0, gid: 0, sizeBytes: 0, time: { seconds: 0, nanoseconds: 0 }, attributes: new Map(), ...fields,
});

const plans = test.macro({
  exec(t, fields: Partial<TarEntry>, expected: object) { t.like(planEntry(entry(fields), MAX_ID), expected); },
  title: (name = '') => `planEntry: ${name}`,
});
const refuses = test.macro({
  exec(t, fields: Partial<TarEntry>, message: string | RegExp) { t.throws(() => planEntry(entry(fields), MAX_ID), { code: 'FAILED_PRECONDITION', message }); },
  title: (name = '') => `planEntry refuses ${name}`,
});

test('a leading slash means the layer', plans, { name: '/etc/evil' }, { kind: 'file', path: ['etc', 'evil'] });
test('dots and double slashes mean nothing', plans, { name: './a//b/./c' }, { path: ['a', 'b', 'c'] });
test('the layer\'s own root is a directory', plans, { name: './', type: 'directory' }, { kind: 'directory', path: [] });
test('a symlink keeps its text, wherever it leads', plans, { type: 'symlink', linkName: '../../etc' }, { kind: 'symlink', target: '../../etc' });
test('a hardlink\'s target is a path in the layer', plans, { type: 'hardlink', linkName: '/etc/passwd' }, { kind: 'hardlink', target: ['etc', 'passwd'] });
test('a fifo is made', plans, { type: 'fifo' }, { kind: 'fifo' });
test('a socket is skipped', plans, { type: 'socket' }, { kind: 'skip', what: 'socket' });
test('a device under dev/ is skipped', plans, { type: 'device', name: 'dev/null' }, { kind: 'skip', what: 'device' });
test('a whiteout names what it hides', plans, { name: 'etc/.wh.gone' }, { kind: 'whiteout', path: ['etc', 'gone'] });
test('an opaque mark names its directory', plans, { name: 'etc/.wh..wh..opq' }, { kind: 'opaque', path: ['etc'] });
test('an opaque mark at the top means the layer', plans, { name: '.wh..wh..opq' }, { kind: 'opaque', path: [] });
test('aufs\'s own names are skipped', plans, { name: '.wh..wh.plnk' }, { kind: 'skip', what: 'metadata' });
test('the highest id fits', plans, { uid: MAX_ID, gid: MAX_ID }, { kind: 'file' });
test('a component of 255 bytes fits', plans, { name: 'n'.repeat(255) }, { kind: 'file' });
test('a directory at /dev is fine', plans, { type: 'directory', name: 'dev' }, { kind: 'directory' });

test('..', refuses, { name: '../evil' }, "entry '../evil' escapes the layer");
test('.. in the middle', refuses, { name: 'a/../../b' }, /escapes the layer/);
test('.. as a hardlink target', refuses, { type: 'hardlink', linkName: '../x' }, /escapes the layer/);
test('an empty name', refuses, { name: '' }, 'path is empty');
test('an empty link', refuses, { type: 'symlink', linkName: '' }, /empty, long or NUL target/);
test('NUL', refuses, { name: 'a\0b' }, /path contains NUL/);
test('more than 4096 bytes', refuses, { name: 'a/'.repeat(2049) }, /path longer than 4096 bytes/);
test('a component of 256 bytes', refuses, { name: 'n'.repeat(256) }, /a name longer than 255 bytes/);
test('a whiteout without a name', refuses, { name: '.wh.' }, "invalid whiteout name '.wh.'");
test('a whiteout of .', refuses, { name: '.wh..' }, "invalid whiteout name '.wh..'");
test('a whiteout of ..', refuses, { name: '.wh...' }, "whiteout '.wh...' escapes the layer");
test('a path through a whiteout', refuses, { name: '.wh.a/b' }, /goes through a whiteout/);
test('a device elsewhere', refuses, { type: 'device', name: 'etc/null' }, /outside dev\/ is refused/);
test('a device at /dev itself', refuses, { type: 'device', name: 'dev' }, /outside dev\/|container refused/);
test('an id beyond the user namespace', refuses, { uid: MAX_ID + 1 }, /above the highest id 65535/);
test('a negative id', refuses, { gid: -1 }, /above the highest id/);
test('a file as the layer\'s root', refuses, { name: '/' }, /is the layer's root and no directory/);
for (const name of ['dev', 'proc', 'sys']) {
  test(`a symlink at /${name}`, refuses, { type: 'symlink', name, linkName: '/tmp' }, `container refused: '/${name}' in the image is a symlink`);
}
