import { Readable } from 'node:stream';
import { constants, createZstdCompress, createZstdDecompress, zstdCompressSync } from 'node:zlib';
import test from 'ava';
import { ZstdFrames } from '../../../../agent/snapshot/zstd-frames.ts';

const TEXT = Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * index) % 251));
/** With and without a size, a checksum, a compressed block. Source: RFC 8878, section 3.1.1.1 */
const FRAMES = [
  zstdCompressSync(TEXT), zstdCompressSync(Buffer.alloc(0)), zstdCompressSync(Buffer.alloc(300_000, 'r')), zstdCompressSync(Buffer.from('short')),
  zstdCompressSync(TEXT, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }), zstdCompressSync(TEXT, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } }),
  zstdCompressSync(TEXT, { pledgedSrcSize: TEXT.length }), await streamed(TEXT),
];
const WHOLE = Buffer.concat([TEXT, Buffer.alloc(300_000, 'r'), Buffer.from('short'), TEXT, TEXT, TEXT, TEXT]);

/** Without a size, in several blocks. */
async function streamed(bytes: Buffer): Promise<Buffer> {
  const pieces = [];
  for await (const piece of Readable.from([bytes.subarray(0, 100), bytes.subarray(100)]).pipe(createZstdCompress())) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function skippable(last: number, text: string): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d_2a50 + last, 0);
  head.writeUInt32LE(text.length, 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

function cut(bytes: Buffer, size: number): readonly Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
}

/** Where each ends when they follow each other. */
function endsOf(pieces: readonly Uint8Array[]): readonly number[] {
  let end = 0;
  return pieces.map(piece => (end += piece.length));
}

async function inflate(pieces: Iterable<Uint8Array>): Promise<Buffer> {
  const inflated = [];
  for await (const piece of Readable.from(pieces).pipe(createZstdDecompress())) inflated.push(piece as Buffer);
  return Buffer.concat(inflated);
}

/** As the extractor feeds its decompressor. */
async function unpack(pieces: readonly Uint8Array[]): Promise<Buffer> {
  const frames = new ZstdFrames();
  const given = pieces.flatMap(piece => [...frames.write(piece)]);
  frames.end();
  return await inflate(given);
}

test('Node\'s decompressor alone forgets what follows a frame: when it does not any more, the frames need not be cut', async t => {
  t.is((await inflate([Buffer.concat([zstdCompressSync(TEXT), zstdCompressSync(TEXT)])])).length, TEXT.length);
});

test('each frame comes whole, whatever it says of itself', async t => {
  for (const frame of FRAMES) {
    t.deepEqual(Buffer.concat(new ZstdFrames().write(frame)), frame);
  }
  t.deepEqual(await unpack([Buffer.concat(FRAMES)]), WHOLE);
});

test('skippable frames are left out, at every place', async t => {
  const stream = Buffer.concat([skippable(0, 'first'), ...FRAMES.flatMap((frame, index) => [frame, skippable(index, ''), skippable(15 - index, 'x'.repeat(index * 7))])]);
  t.deepEqual(await unpack([stream]), WHOLE);
});

test('however the stream comes in pieces, none has bytes of two frames', t => {
  const stream = Buffer.concat([skippable(3, 'abc'), ...FRAMES, skippable(4, 'end')]);
  for (const size of [1, 2, 3, 5, 7, 64, 4096, 65_536]) {
    const frames = new ZstdFrames();
    const pieces = cut(stream, size).flatMap(piece => [...frames.write(piece)]);
    frames.end();
    t.deepEqual(Buffer.concat(pieces), Buffer.concat(FRAMES), `pieces of ${String(size)}`);
    const ends = new Set(endsOf(pieces));
    t.deepEqual(endsOf(FRAMES).filter(end => !ends.has(end)), [], `pieces of ${String(size)}`);
  }
});

test('an end in the middle of any frame is refused', async t => {
  const first = zstdCompressSync(TEXT);
  for (const [what, tail] of [['a frame with data', first], ['a skippable one', skippable(1, 'four')]] as const) {
    for (const left of [1, 3, 4, 5, 7, 9, tail.length - 1]) {
      await t.throwsAsync(unpack([Buffer.concat([first, tail.subarray(0, left)])]), { code: 'Z_BUF_ERROR', message: 'unexpected end of file' }, `${what}, ${String(left)} bytes`);
    }
  }
});

test('what is no frame is refused, also behind one', t => {
  for (const text of ['PK\u0003\u0004', '\u0000\u0000\u0000\u0000']) {
    t.throws(() => new ZstdFrames().write(Buffer.concat([FRAMES[0] ?? Buffer.alloc(0), Buffer.from(text)])), { code: 'ZSTD_error_prefix_unknown' });
  }
  t.throws(() => new ZstdFrames().write(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 0b111, 0, 0)), { code: 'ZSTD_error_corruption_detected' });
});
