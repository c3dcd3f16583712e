/**
 * The extractor: a process in the staging directory as its root, with few capabilities and system calls, that unpacks layers from its standard
 * input.
 *
 *   extract-worker STAGING_DIRECTORY
 *
 * One layer after another; after a refused one it ends, so that no state of a hostile layer meets the next.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { ClusterError } from '#model/errors.ts';
import { changeRoot, makeDirectory, openDirectory } from '../kernel/file-syscall.ts';
import { FastGunzip } from '../kernel/inflate-syscall.ts';
import { filterSyscalls } from '../kernel/seccomp-syscall.ts';
import { FrameReader, refusalOf } from './extract-messages.ts';
import type { Compression, ExtractJob, ExtractReply } from './extract-messages.ts';
import { extractorFilter } from './extractor-filter.ts';
import { LayerWriter } from './layer-writer-fs.ts';
import type { LayerSummary } from './ports.ts';
import { TarReader } from './tar-reader.ts';
import { ZstdFrames } from './zstd-frames.ts';

/** Source: fcntl.h AT_FDCWD. */
const AT_FDCWD = -100;
const PIECE_BYTES = 256 * 1024;
/** Source: RFC 8878 section 3.1.1.1.2: decoders should support windows of 8 MiB at least; zstd's own default limit is 2^27. */
const ZSTD_WINDOW_LOG_MAX = 27;

/** Loaded before this process has another root. */
const fastGunzip = FastGunzip.open();

/** Unpacks one layer whose compressed bytes are `source`. */
async function extract(job: ExtractJob, source: AsyncIterable<Buffer>): Promise<LayerSummary> {
  makeDirectory(AT_FDCWD, job.id, 0o700);
  const top = openDirectory(AT_FDCWD, job.id);
  makeDirectory(top, 'tree', 0o755);
  makeDirectory(top, 'aside', 0o700);
  const writer = new LayerWriter({ root: openDirectory(top, 'tree'), aside: openDirectory(top, 'aside') }, job.limits);
  const reader = new TarReader(writer);
  const hash = createHash(job.diffId.startsWith('sha512:') ? 'sha512' : 'sha256');
  const meter = new Meter(job);
  await inflate(job.compression, meter.compressed(source), async inflated => {
    for await (const piece of inflated) {
      meter.addInflated(piece.length);
      hash.update(piece);
      reader.write(piece);
    }
  });
  reader.end();
  const diffId = `${job.diffId.slice(0, 6)}:${hash.digest('hex')}`;
  if (diffId !== job.diffId) {
    throw new ClusterError('FAILED_PRECONDITION', `diff_id mismatch: the layer is ${diffId}, the image says ${job.diffId}`);
  }
  return writer.finish();
}

/** Counts both ends of the inflater and refuses what grows too much. */
class Meter {
  readonly #job: ExtractJob;
  #compressedBytes = 0;
  #inflatedBytes = 0;

  constructor(job: ExtractJob) {
    this.#job = job;
  }

  async *compressed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of source) {
      this.#compressedBytes += piece.length;
      yield piece;
    }
  }

  addInflated(bytes: number): void {
    this.#inflatedBytes += bytes;
    const { maxInflatedBytes, maxRatio, ratioFloorBytes } = this.#job.limits;
    if (this.#inflatedBytes > maxInflatedBytes) {
      throw new ClusterError('FAILED_PRECONDITION', `layer larger than the limit ${String(maxInflatedBytes)} bytes`);
    }
    if (this.#inflatedBytes > ratioFloorBytes && this.#inflatedBytes > this.#compressedBytes * maxRatio) {
      throw new ClusterError('FAILED_PRECONDITION', `layer inflates to more than ${String(maxRatio)} times its size`);
    }
  }
}

/** Gives `take` what `source` inflates to; a piece is only good until the next. */
async function inflate(compression: Compression, source: AsyncIterable<Uint8Array>, take: (inflated: AsyncIterable<Uint8Array>) => Promise<void>): Promise<void> {
  if (compression === 'none') {
    await take(source);
  } else if (compression === 'gzip' && fastGunzip !== undefined) {
    await take(gunzip(fastGunzip, source));
  } else if (compression === 'gzip') {
    await pipeline(Readable.from(source), createGunzip({ chunkSize: PIECE_BYTES }), take);
  } else {
    await pipeline(Readable.from(frameByFrame(source)), createZstdDecompress({ chunkSize: PIECE_BYTES, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } }), take);
  }
}

async function *frameByFrame(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const frames = new ZstdFrames();
  for await (const piece of source) yield *frames.write(piece);
  frames.end();
}

async function *gunzip(fast: FastGunzip, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  fast.begin();
  for await (const piece of source) yield *fast.write(piece);
  fast.end();
}

/** Frames of standard input, one layer after another. */
async function serve(): Promise<void> {
  const frames = readFrames();
  for (let first = await frames.next(); first.done !== true; first = await frames.next()) {
    if (first.value.kind !== 'job') {
      throw new Error(`frame ${first.value.kind} before a job`);
    }
    const reply = await answer(first.value.job, contentOf(frames));
    process.stdout.write(`${JSON.stringify(reply)}\n`);
    if (reply.kind === 'refused') {
      return;
    }
  }
}

async function answer(job: ExtractJob, source: AsyncIterable<Buffer>): Promise<ExtractReply> {
  try {
    return { kind: 'done', summary: await extract(job, source) };
  } catch (error) {
    return refusalOf(error);
  }
}

async function *readFrames(): AsyncGenerator<ReturnType<FrameReader['read']>[number]> {
  const reader = new FrameReader();
  for await (const chunk of process.stdin) {
    yield *reader.read(chunk as Buffer);
  }
}

/** The bytes up to the layer's end. A stream that ends before is no layer. */
async function *contentOf(frames: AsyncGenerator<ReturnType<FrameReader['read']>[number]>): AsyncGenerator<Buffer> {
  for (let next = await frames.next(); ; next = await frames.next()) {
    if (next.done === true) throw new ClusterError('UNAVAILABLE', 'the layer was not sent to its end');
    if (next.value.kind === 'end') return;
    if (next.value.kind === 'bytes') yield next.value.bytes;
  }
}

process.umask(0);
changeRoot(process.argv[2] ?? '');
process.chdir('/');
filterSyscalls(extractorFilter(process.arch === 'arm64' ? 'arm64' : 'x64'));
await serve();
// Standard input may hold the rest of a refused layer; nothing reads it.
process.stdin.destroy();
