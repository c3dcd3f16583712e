import test from 'ava';
import { fc } from '../../../support/property.ts';
import { ClusterError } from '#model/errors.ts';
import { EXTRACT_LIMITS, FrameReader, frameHeader, refusalOf } from '../../../../agent/snapshot/extract-messages.ts';
import type { FramePiece } from '../../../../agent/snapshot/extract-messages.ts';

const JOB = { id: 'x-1', compression: 'gzip', diffId: `sha256:${'0'.repeat(64)}`, limits: EXTRACT_LIMITS } as const;
const frame = (body: string): Buffer => Buffer.concat([frameHeader(Buffer.byteLength(body)), Buffer.from(body)]);

/** Job, joined bytes, end; again. */
function fold(pieces: readonly FramePiece[]): readonly string[] {
  const folded: string[] = [];
  for (const piece of pieces) {
    if (piece.kind !== 'bytes') folded.push(piece.kind === 'job' ? `job ${piece.job.id}` : 'end');
    else if (folded.at(-1)?.startsWith('bytes ') === true) folded.push(`${folded.pop() ?? ''}${piece.bytes.toString()}`);
    else folded.push(`bytes ${piece.bytes.toString()}`);
  }
  return folded;
}

test('frames come out as job, bytes and end, however they are cut', t => {
  const stream = Buffer.concat([frame(JSON.stringify(JOB)), frame('hello '), frame('world'), frameHeader(0), frame(JSON.stringify(JOB)), frameHeader(0)]);
  fc.assert(fc.property(fc.integer({ min: 1, max: stream.length }), bytes => {
    const reader = new FrameReader();
    const pieces: FramePiece[] = [];
    for (let at = 0; at < stream.length; at += bytes) pieces.push(...reader.read(stream.subarray(at, at + bytes)));
    return fold(pieces).join('|') === 'job x-1|bytes hello world|end|job x-1|end';
  }));
  t.pass();
});

const refuses = test.macro({
  exec(t, error: unknown, expected: object) { t.like(refusalOf(error), { kind: 'refused', ...expected }); },
  title: (name = '') => `refusalOf: ${name}`,
});
const coded = (code: string, message: string): Error => Object.assign(new Error(message), { code });
test('a refusal keeps its code', refuses, new ClusterError('RESOURCE_EXHAUSTED', 'too much'), { code: 'RESOURCE_EXHAUSTED', message: 'too much' });
test('a full disk is said so', refuses, coded('ENOSPC', 'write'), { code: 'RESOURCE_EXHAUSTED', message: 'no space left', isDiskFull: true });
test('a bad CRC is said so', refuses, coded('Z_DATA_ERROR', 'incorrect data check'), { code: 'FAILED_PRECONDITION', message: 'layer gzip checksum mismatch' });
test('an early end is said so', refuses, coded('Z_BUF_ERROR', 'unexpected end of file'), { code: 'FAILED_PRECONDITION', message: 'compressed layer ends early' });
test('zstd errors are the image\'s', refuses, coded('ZSTD_error_corruption_detected', 'Data corruption'), { code: 'FAILED_PRECONDITION' });
test('anything else is ours', refuses, new Error('oops'), { code: 'INTERNAL', message: 'oops' });
