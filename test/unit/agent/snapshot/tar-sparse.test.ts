import test from 'ava';
import { fc } from '../../../support/property.ts';
import { SparseContents, checkSparse, parsePaxSparse, parseSparseLines } from '../../../../agent/snapshot/tar-sparse.ts';
import type { Fragment } from '../../../../agent/snapshot/tar-sparse.ts';

const records = (entries: Readonly<Record<string, string>>): ReadonlyMap<string, Buffer> => new Map(Object.entries(entries).map(([key, value]) => [`GNU.sparse.${key}`, Buffer.from(value)]));
const part = (offset: number, lengthBytes: number): Fragment => ({ offset, lengthBytes });

/** What the sink gets: contents as text, holes as their length. */
function expand(sizeBytes: number, fragments: readonly Fragment[], pieces: readonly string[]): readonly (string | number)[] {
  const got: (string | number)[] = [];
  const sink = { content: (piece: Uint8Array) => { got.push(Buffer.from(piece).toString()); }, hole: (lengthBytes: number) => { got.push(lengthBytes); } };
  const contents = new SparseContents(sizeBytes, fragments);
  for (const piece of pieces) contents.content(Buffer.from(piece), sink);
  contents.end(sink);
  return got;
}

test('records that say nothing of a sparse file are none', t => { t.is(parsePaxSparse(new Map([['path', Buffer.from('a')]])), undefined); });
test('format 0.1 has its map in a record', t => {
  t.deepEqual(parsePaxSparse(records({ map: '0,3,10,2', size: '20', name: 'real' })), { sizeBytes: 20, fragments: [part(0, 3), part(10, 2)], more: 'none', name: 'real' });
});
test('format 0.0 may have no parts at all', t => { t.deepEqual(parsePaxSparse(records({ size: '20' })), { sizeBytes: 20, fragments: [], more: 'none' }); });
test('format 1.0 has its map before the contents', t => {
  t.deepEqual(parsePaxSparse(records({ major: '1', minor: '0', realsize: '20' })), { sizeBytes: 20, fragments: [], more: 'lines' });
});
for (const [what, given] of [['an unknown format', { major: '2', minor: '0', size: '1' }], ['no size', { map: '0,1' }], ['half a pair', { map: '0,1,2', size: '5' }], ['letters', { map: '0,x', size: '5' }], ['a sign', { map: '-1,2', size: '5' }]] as const) {
  test(`${what} is refused`, t => { t.throws(() => parsePaxSparse(records(given)), { code: 'FAILED_PRECONDITION', message: /^malformed sparse entry/ }); });
}
test('lines are whole only after the last end of line', t => {
  t.is(parseSparseLines(Buffer.from('2\n0\n3\n10\n2')), undefined);
  t.deepEqual(parseSparseLines(Buffer.from('2\n0\n3\n10\n2\n\0\0')), [part(0, 3), part(10, 2)]);
  t.deepEqual(parseSparseLines(Buffer.from('0\n')), []);
});
for (const [what, size, fragments, stored] of [
  ['parts out of order', 20, [part(10, 2), part(0, 3)], 5], ['parts that overlap', 20, [part(0, 5), part(4, 2)], 7], ['a part past the end', 20, [part(19, 2)], 2],
  ['less than the entry has', 20, [part(0, 2)], 3], ['a negative size', -1, [], 0],
] as const) {
  test(`${what} is refused by the check`, t => { t.throws(() => { checkSparse(size, fragments, stored); }, { code: 'FAILED_PRECONDITION' }); });
}
test('parts that touch, and reach the end, are fine', t => { t.notThrows(() => { checkSparse(5, [part(0, 2), part(2, 3)], 5); }); });
test('holes go between, before and after the contents', t => {
  t.deepEqual(expand(12, [part(2, 3), part(7, 2)], ['abcde']), [2, 'abc', 2, 'de', 3]);
  t.deepEqual(expand(12, [part(2, 3), part(7, 2)], ['ab', 'cd', 'e']), [2, 'ab', 'c', 2, 'd', 'e', 3]);
  t.deepEqual(expand(4, [], []), [4]);
  t.deepEqual(expand(4, [part(0, 0), part(0, 4), part(4, 0)], ['abcd']), ['abcd']);
});
test('what comes out is as long as the file, whatever the parts and pieces', t => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 8 }), fc.nat(30), fc.integer({ min: 1, max: 9 }), (gaps, tail, pieceBytes) => {
    let end = 0;
    const fragments = gaps.map(([gap, lengthBytes]) => {
      const fragment = part(end + gap, lengthBytes);
      end += gap + lengthBytes;
      return fragment;
    });
    const stored = fragments.reduce((sum, fragment) => sum + fragment.lengthBytes, 0);
    const pieces = Array.from({ length: Math.ceil(stored / pieceBytes) }, (_, index) => 'x'.repeat(Math.min(pieceBytes, stored - index * pieceBytes)));
    checkSparse(end + tail, fragments, stored);
    return expand(end + tail, fragments, pieces).reduce<number>((sum, one) => sum + (typeof one === 'number' ? one : one.length), 0) === end + tail;
  }));
  t.pass();
});
