import { randomBytes } from 'node:crypto';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import test from 'ava';
import { fc } from '../../../support/property.ts';
import { FastGunzip, InflateError } from '../../../../agent/kernel/inflate-syscall.ts';

/** One for all tests, as an extractor has one for all layers. */
const gunzip = FastGunzip.open();

/** What `stream` inflates to when it comes in pieces of `pieceBytes`. */
function inflated(stream: Uint8Array, pieceBytes = 1_000): Buffer {
  if (gunzip === undefined) throw new Error('libisal2 is not installed: deploy/bin/setup installs it');
  const pieces: Buffer[] = [];
  gunzip.begin();
  for (let at = 0; at < stream.length; at += pieceBytes) {
    for (const piece of gunzip.write(stream.subarray(at, at + pieceBytes))) pieces.push(Buffer.from(piece));
  }
  gunzip.end();
  return Buffer.concat(pieces);
}

const TEXT = Buffer.from('what a layer holds, again and again; '.repeat(50_000));
const OUTPUT_BYTES = 256 * 1024;

for (const sizeBytes of [0, 1, OUTPUT_BYTES - 1, OUTPUT_BYTES, OUTPUT_BYTES + 1, 4 * OUTPUT_BYTES, TEXT.length]) {
  test(`${String(sizeBytes)} bytes come back, whatever the pieces`, t => {
    for (const level of [0, 1, 9]) {
      const contents = TEXT.subarray(0, sizeBytes);
      for (const pieceBytes of [7, 65_536, 200_000]) t.true(inflated(gzipSync(contents, { level }), pieceBytes).equals(contents));
    }
  });
}

test('bytes that cannot be compressed come back', t => {
  const contents = randomBytes(300_000);
  t.true(inflated(gzipSync(contents)).equals(contents));
});

test('members that follow each other are one stream, with zeros between and after them', t => {
  const members = [gzipSync('one, '), gzipSync(''), Buffer.alloc(10), gzipSync('two'), Buffer.alloc(2_000)];
  for (const pieceBytes of [1, 5, 10_000]) t.is(inflated(Buffer.concat(members), pieceBytes).toString(), 'one, two');
});

test('a header with every optional field is read over', t => {
  const plain = gzipSync('named');
  // Source: RFC 1952 section 2.3: FLG 0x1e has two bytes of length with what is as long, a name, a comment, and the lower half of a CRC of all that.
  const header = Buffer.concat([plain.subarray(0, 3), Buffer.from([0x1e]), plain.subarray(4, 10), Buffer.from([2, 0, 1, 2]), Buffer.from('name\0comment\0')]);
  const crc = Buffer.alloc(2);
  crc.writeUInt16LE(crc32(header) & 0xffff);
  const stream = Buffer.concat([header, crc, plain.subarray(10)]);
  for (const pieceBytes of [1, 2, 3, 10, 20, 30, 100]) t.is(inflated(stream, pieceBytes).toString(), 'named');
  stream[header.length] = crc.readUInt8(0) ^ 1;
  t.throws(() => inflated(stream), { message: 'header crc mismatch' });
});

const refuses = test.macro({
  exec(t, stream: Buffer, message: RegExp) {
    for (const pieceBytes of [1, 100_000]) t.throws(() => inflated(stream, pieceBytes), { instanceOf: InflateError, message });
  },
  title: name => `refused: ${name ?? ''}`,
});

const whole = gzipSync('a layer');
const changed = (at: number): Buffer => {
  const copy = Buffer.from(whole);
  copy.writeUInt8(copy.readUInt8(at) ^ 0xff, at);
  return copy;
};

test('nothing', refuses, Buffer.alloc(0), /unexpected end of file/);
test('a stream without its last byte', refuses, whole.subarray(0, -1), /unexpected end of file/);
test('a header alone', refuses, whole.subarray(0, 10), /unexpected end of file/);
test('a second member that ends early', refuses, Buffer.concat([whole, whole.subarray(0, 12)]), /unexpected end of file/);
test('a wrong checksum', refuses, changed(whole.length - 8), /incorrect data check/);
test('a wrong length', refuses, changed(whole.length - 4), /incorrect data check/);
test('no gzip', refuses, changed(0), /incorrect header check/);
test('another method', refuses, changed(2), /compression method/);
test('reserved flags', refuses, changed(3), /unknown header flags/);
test('something else after the stream', refuses, Buffer.concat([whole, Buffer.from('something else')]), /incorrect header check/);

test('a stream after a refused one is read as ever', t => {
  t.throws(() => inflated(changed(whole.length - 8)));
  t.is(inflated(whole).toString(), 'a layer');
});

test('zlib and ISA-L agree on streams with one byte changed', t => {
  const outcome = (inflate: () => Buffer): string => {
    try {
      return inflate().toString('hex');
    } catch {
      return 'refused';
    }
  };
  const stream = gzipSync(TEXT.subarray(0, 5_000));
  fc.assert(fc.property(fc.integer({ min: 0, max: stream.length - 1 }), fc.integer({ min: 1, max: 255 }), fc.integer({ min: 1, max: 300 }), (at, flip, pieceBytes) => {
    const broken = Buffer.from(stream);
    broken.writeUInt8(broken.readUInt8(at) ^ flip, at);
    t.is(outcome(() => inflated(broken, pieceBytes)), outcome(() => gunzipSync(broken)));
  }), { numRuns: 500 });
});
