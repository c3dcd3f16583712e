import { crc32, gzipSync } from 'node:zlib';
import test from 'ava';
import { readGzipHeader } from '../../../../agent/kernel/gzip-header.ts';

const FIXED = gzipSync('x').subarray(0, 10);
/** A header with these flags, and what follows its fixed part. */
function header(flags: number, ...rest: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat([FIXED.subarray(0, 3), Buffer.from([flags]), FIXED.subarray(4), ...rest.map(part => Buffer.from(part as Uint8Array))]);
}

const reads = test.macro({
  exec(t, bytes: Uint8Array, lengthBytes: number) {
    t.deepEqual(readGzipHeader(bytes, crc32), { kind: 'whole', lengthBytes });
    t.deepEqual(readGzipHeader(Buffer.concat([bytes, Buffer.from('contents')]), crc32), { kind: 'whole', lengthBytes });
    for (let length = 0; length < lengthBytes; length += 1) t.deepEqual(readGzipHeader(bytes.subarray(0, length), crc32), { kind: 'begun' }, String(length));
  },
  title: name => `whole with ${name ?? ''}, begun when any byte lacks`,
});
test('nothing beside the fixed part', reads, FIXED, 10);
test('an extra field', reads, header(4, Uint8Array.of(3, 0, 1, 2, 3)), 15);
test('an empty extra field', reads, header(4, Uint8Array.of(0, 0)), 12);
test('a name', reads, header(8, 'name\0'), 15);
test('a comment', reads, header(16, 'words\0'), 16);
test('extra field, name and comment', reads, header(28, Uint8Array.of(1, 0, 9), 'name\0', 'words\0'), 24);

const isBad = test.macro({
  exec(t, bytes: Uint8Array, why: string) {
    t.deepEqual(readGzipHeader(bytes, crc32), { kind: 'bad', why });
  },
  title: name => `bad: ${name ?? ''}`,
});
test('the first byte', isBad, Uint8Array.of(0x1e), 'incorrect header check');
test('the second byte', isBad, Uint8Array.of(0x1f, 0x8c), 'incorrect header check');
test('another method', isBad, Uint8Array.of(0x1f, 0x8b, 7), 'unknown compression method');
test('a reserved flag', isBad, header(0x20), 'unknown header flags set');
test('a wrong checksum', isBad, header(2, Uint8Array.of(0, 0)), 'header crc mismatch');
test('a name without end', isBad, header(8, Buffer.alloc(128 * 1024, 'x')), 'header of more than 131072 bytes');
