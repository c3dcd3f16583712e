import test from 'ava';
import { fc } from '../../../support/property.ts';
import { TarReader, shown } from '../../../../agent/snapshot/tar-reader.ts';
import type { TarEntry } from '../../../../agent/snapshot/tar-reader.ts';
import { buildTar, tarHeader } from '../../../support/tar-builder.ts';

interface Read {
  readonly entry: TarEntry;
  readonly content: string;
}

/** Reads `tar` in pieces of `pieceBytes`. */
function read(tar: Uint8Array, pieceBytes = 1 << 20): readonly Read[] {
  const all: Read[] = [];
  let open: { entry: TarEntry; pieces: Buffer[] } | undefined;
  const reader = new TarReader({
    entry: entry => { open = { entry, pieces: [] }; },
    content: piece => { open?.pieces.push(Buffer.from(piece)); },
    hole: lengthBytes => { open?.pieces.push(Buffer.alloc(lengthBytes)); },
    endEntry: () => { if (open !== undefined) all.push({ entry: open.entry, content: Buffer.concat(open.pieces).toString('latin1') }); },
  });
  for (let at = 0; at < tar.length; at += pieceBytes) reader.write(tar.subarray(at, at + pieceBytes));
  reader.end();
  return all;
}

const names = (tar: Uint8Array): readonly string[] => read(tar).map(one => one.entry.name);

test('entries come in order with their contents', t => {
  t.deepEqual(read(buildTar([{ t: 'f', n: 'a', data: 'one' }, { t: 'd', n: 'b' }, { t: 'f', n: 'c', data: '' }])).map(one => [one.entry.type, one.entry.name, one.content]), [
    ['file', 'a', 'one'], ['directory', 'b', ''], ['file', 'c', ''],
  ]);
});
test('the cut into pieces does not matter', t => {
  const tar = buildTar([{ t: 'f', n: 'a', data: 'x'.repeat(1000), pax: { path: 'long/'.repeat(40) } }, { t: 'f', n: 'b', data: 'y'.repeat(512) }]);
  fc.assert(fc.property(fc.integer({ min: 1, max: 1500 }), bytes => JSON.stringify(read(tar, bytes)) === JSON.stringify(read(tar))));
  t.is(read(tar).length, 2);
});
test('PAX path, linkpath, uid, mtime and attributes override the header, for one entry', t => {
  const [first, second] = read(buildTar([
    { t: 'l', n: 'a', ln: 'b', pax: { path: 'p', linkpath: 'q', uid: '7', mtime: '5.25', 'SCHILY.xattr.user.x': 'v' } }, { t: 'f', n: 'c' },
  ]));
  t.like(first?.entry, { name: 'p', linkName: 'q', uid: 7, time: { seconds: 5, nanoseconds: 250_000_000 } });
  t.is(first?.entry.attributes.get('user.x')?.toString(), 'v');
  t.like(second?.entry, { name: 'c', uid: 0 });
});
test('PAX size counts over the header', t => {
  const tar = buildTar([{ t: 'f', n: 'a', data: 'hello', size: 0, pax: { size: '5' } }]);
  t.is(read(tar)[0]?.content, 'hello');
});
test('global PAX records do not count', t => { t.deepEqual(names(buildTar([{ t: 'g', n: 'g', pax: { path: 'evil' } }, { t: 'f', n: 'a' }])), ['a']); });
test('GNU long names count', t => { t.deepEqual(names(buildTar([{ t: 'L', n: '././@LongLink', data: `${'n'.repeat(300)}\0` }, { t: 'f', n: 'cut' }])), ['n'.repeat(300)]); });
test('links and directories have no contents whatever their size says', t => {
  t.deepEqual(names(Buffer.concat([tarHeader({ name: Buffer.from('d'), flag: '5', size: 5000 }), buildTar([{ t: 'f', n: 'a' }])])), ['d', 'a']);
});
test('what follows the zeros is ignored', t => { t.deepEqual(names(Buffer.concat([buildTar([{ t: 'f', n: 'a' }]), Buffer.alloc(700, 'x')])), ['a']); });
test('an archive may end without zeros, between entries', t => { t.deepEqual(names(buildTar([{ t: 'f', n: 'a' }], { isTruncated: true })), ['a']); });
test('an end inside of contents names the entry', t => {
  t.throws(() => read(buildTar([{ t: 'f', n: 'a', size: 1000, data: 'short' }], { isTruncated: true })), { message: "unexpected end of layer in entry 'a'" });
});
test('an end inside of a header is refused', t => { t.throws(() => read(buildTar([{ t: 'f', n: 'a' }]).subarray(0, 300)), { message: /unexpected end of layer in the header at offset 0/ }); });
test('an end between a PAX header and its entry is refused', t => {
  t.throws(() => read(buildTar([{ t: 'f', n: 'a', pax: { path: 'p' } }]).subarray(0, 1024)), { message: /unexpected end of layer/ });
});
test('a PAX header over 1 MiB is refused before it is read', t => {
  t.throws(() => read(tarHeader({ name: Buffer.from('x'), flag: 'x', size: 2 ** 20 + 1 })), { message: 'PAX header over 1 MiB at offset 0' });
});
test('a sparse entry has its own name, its whole length and its holes', t => {
  const [one, next] = read(buildTar([{ t: 'f', n: 'GNUSparseFile.0/a', data: 'abcde', pax: { 'GNU.sparse.map': '2,3,7,2', 'GNU.sparse.size': '10', 'GNU.sparse.name': 'a' } }, { t: 'f', n: 'b', data: 'x' }]));
  t.like(one?.entry, { type: 'file', name: 'a', sizeBytes: 10 });
  t.is(one?.content, '\0\0abc\0\0de\0');
  t.is(next?.entry.name, 'b');
});
test('the map of sparse format 1.0 is no contents', t => {
  const map = '1\n4\n3\n'.padEnd(512, '\0');
  const [one] = read(buildTar([{ t: 'f', n: 'a', data: `${map}abc`, pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '8' } }]), 100);
  t.is(one?.content, '\0\0\0\0abc\0');
});
test('a sparse map that ends nowhere is refused, by the entry or by the archive', t => {
  const pax = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '8' };
  t.throws(() => read(buildTar([{ t: 'f', n: 'a', data: '9\n'.padEnd(512, '\0'), pax }])), { message: /map of sparse entry 'a' is too long|its map/ });
  t.throws(() => read(buildTar([{ t: 'f', n: 'a', data: '', size: 512, pax }], { isTruncated: true })), { message: "unexpected end of layer in entry 'a'" });
});
test('a PAX record without a value leaves the header as it is', t => { t.deepEqual(names(buildTar([{ t: 'f', n: 'a', pax: { path: '' } }])), ['a']); });
test('random bytes are entries or a refusal, never another error', t => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 1, max: 600 }), (noise, bytes) => {
    try {
      read(Buffer.concat([buildTar([{ t: 'f', n: 'a', data: 'x' }], { isTruncated: true }), noise]), bytes);
      return true;
    } catch (error) {
      return error instanceof Error && error.name === 'ClusterError';
    }
  }));
  t.pass();
});
test('raw names are shown as UTF-8 without control characters', t => { t.is(shown(Buffer.from('ü\n').toString('latin1')), "'ü\\u000a'"); });
