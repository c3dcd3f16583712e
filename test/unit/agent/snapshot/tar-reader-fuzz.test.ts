import test from 'ava';
import { fc } from '../../../support/property.ts';
import { ClusterError } from '#model/errors.ts';
import { TarReader } from '../../../../agent/snapshot/tar-reader.ts';
import { buildTar } from '../../../support/tar-builder.ts';

/** What a reader made of `tar`, read in pieces: each call of its sink, then how it ended. */
function trace(tar: Uint8Array, pieceBytes: number): readonly string[] {
  const seen: string[] = [];
  let contentBytes = 0;
  const reader = new TarReader({
    entry: ({ type, name, sizeBytes }) => { contentBytes = 0; seen.push(`${type} ${name} ${String(sizeBytes)}`); },
    content: piece => { contentBytes += piece.length; },
    hole: lengthBytes => { contentBytes += lengthBytes; },
    endEntry: () => { seen.push(`${String(contentBytes)} bytes`); },
  });
  try {
    for (let at = 0; at < tar.length; at += pieceBytes) reader.write(tar.subarray(at, at + pieceBytes));
    reader.end();
    return [...seen, 'end'];
  } catch (error) {
    if (!(error instanceof ClusterError) || error.code !== 'FAILED_PRECONDITION') throw error;
    return [...seen, error.message];
  }
}

const SEED = buildTar([
  { t: 'd', n: 'dir', mode: 0o1777 }, { t: 'f', n: 'dir/file', data: 'x'.repeat(700) }, { t: 'l', n: 'link', ln: 'dir/file' },
  { t: 'f', n: 'long', data: 'y', pax: { path: 'p/'.repeat(120), mtime: '1.5', 'SCHILY.xattr.user.a': 'v', size: '1' } },
  { t: 'f', n: 'sparse', data: '1\n0\n4\n'.padEnd(512, '\0') + 'data', pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 's', 'GNU.sparse.realsize': '8192' } },
]);
const BLOCK = 512;
/** The same each time: another seed is for a search by hand. */
const RUNS = { numRuns: 1_500, seed: 7 };

/** The header's own checksum made right again, so that what was changed is looked at. Source: POSIX ustar: the sum with its field as spaces */
function withChecksum(tar: Buffer, header: number): Buffer {
  const block = tar.subarray(header, header + BLOCK);
  block.fill(0x20, 148, 156);
  block.write(block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0') + '\0 ', 148, 'latin1');
  return tar;
}

const changes = fc.array(fc.record({ at: fc.nat(SEED.length - 1), byte: fc.nat(255) }), { minLength: 1, maxLength: 6 });

test('changed bytes are read to an end or refused, the same way however the stream is cut', t => {
  fc.assert(fc.property(changes, fc.integer({ min: 1, max: 1_500 }), fc.boolean(), (edits, pieceBytes, isMended) => {
    const tar = Buffer.from(SEED);
    for (const { at, byte } of edits) tar[at] = byte;
    if (isMended) edits.forEach(({ at }) => { withChecksum(tar, Math.floor(at / BLOCK) * BLOCK); });
    t.deepEqual(trace(tar, pieceBytes), trace(tar, tar.length));
  }), RUNS);
});

test('a cut anywhere is an end or a refusal', t => {
  t.notThrows(() => { fc.assert(fc.property(fc.nat(SEED.length), length => trace(SEED.subarray(0, length), BLOCK).length > 0), RUNS); });
});

test('PAX records of any bytes', t => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom('path', 'linkpath', 'size', 'uid', 'mtime', 'GNU.sparse.map', 'GNU.sparse.major', 'SCHILY.xattr.user.x'), (value, key) => {
    const tar = buildTar([{ t: 'f', n: 'a', data: 'b', pax: { [key]: value } }]);
    t.deepEqual(trace(tar, 7), trace(tar, tar.length));
  }), RUNS);
});

test('noise is refused', t => {
  t.notThrows(() => { fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 2_048 }), noise => trace(noise, 100).length > 0), RUNS); });
});
