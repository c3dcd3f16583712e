import test from 'ava';
import { TarReader } from '../../../../agent/snapshot/tar-reader.ts';
import type { TarEntry } from '../../../../agent/snapshot/tar-reader.ts';
import { sparseHeader, TAR_END, tarHeader, tarPadding } from '../../../../agent/tunnel/tar-writer.ts';
import type { ArchiveEntry } from '../../../../agent/tunnel/tar-writer.ts';

const entry = (overrides: Partial<ArchiveEntry> = {}): ArchiveEntry =>
  ({ type: 'file', name: 'a', linkName: '', mode: 0o100644, uid: 33, gid: 34, sizeBytes: 0, modifiedAtSeconds: 1_700_000_000.9, ...overrides });

function read(bytes: Buffer): readonly TarEntry[] {
  const entries: TarEntry[] = [];
  const reader = new TarReader({ entry: one => { entries.push(one); }, content: () => undefined, hole: () => undefined, endEntry: () => undefined });
  reader.write(bytes);
  reader.end();
  return entries;
}

const returns = test.macro({
  exec(t, written: Partial<ArchiveEntry>, expected: Partial<TarEntry>) { t.like(read(Buffer.concat([tarHeader(entry(written)), TAR_END]))[0], expected); },
  title: (name = '') => `what is written is read: ${name}`,
});
test('a file', returns, {}, { type: 'file', name: 'a', mode: 0o644, uid: 33, gid: 34, time: { seconds: 1_700_000_000, nanoseconds: 0 } });
test('a directory ends in a slash', returns, { type: 'directory', name: 'd' }, { type: 'directory', name: 'd/' });
test('a link', returns, { type: 'symlink', linkName: '/etc/passwd' }, { type: 'symlink', linkName: '/etc/passwd' });
test('100 bytes of name fit', returns, { name: 'n'.repeat(100) }, { name: 'n'.repeat(100) });
test('101 bytes of name', returns, { name: 'n'.repeat(101) }, { name: 'n'.repeat(101) });
test('a long link', returns, { type: 'symlink', linkName: 'l'.repeat(300) }, { linkName: 'l'.repeat(300) });
test('large ids', returns, { uid: 2_000_000_000, gid: 3_000_000 }, { uid: 2_000_000_000, gid: 3_000_000 });

test('a PAX length counts itself, at every width', t => {
  for (let length = 100; length < 1100; length += 1) {
    const name = 'x'.repeat(length);
    t.is(read(Buffer.concat([tarHeader(entry({ name })), TAR_END]))[0]?.name, name);
  }
});
test('contents are filled up to a block', t => {
  t.deepEqual([0, 1, 511, 512, 513].map(size => tarPadding(size).length), [0, 511, 1, 0, 511]);
});

test('a file with holes: only its parts are written, and what reads them makes the holes again', t => {
  const name = `d/${'s'.repeat(120)}`;
  const sizeBytes = 2 ** 40;
  const header = sparseHeader(entry({ name, sizeBytes }), [{ offset: 4_096, lengthBytes: 3 }, { offset: sizeBytes, lengthBytes: 0 }]);
  const heard: (string | number)[] = [];
  const reader = new TarReader({ entry: one => { heard.push(one.name, one.sizeBytes); }, content: piece => { heard.push(Buffer.from(piece).toString()); }, hole: length => { heard.push(length); }, endEntry: () => undefined });
  reader.write(Buffer.concat([header, Buffer.from('abc'), tarPadding(3), TAR_END]));
  reader.end();
  t.deepEqual(heard, [name, sizeBytes, 4_096, 'abc', sizeBytes - 4_099]);
});
