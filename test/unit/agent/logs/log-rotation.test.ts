import test from 'ava';
import { cutChunk, LOG_FILE_BYTES, LOG_FILES, logFileNames } from '../../../../agent/logs/log-rotation.ts';

const NEWLINE = 10;

/** Records of `length` bytes each, their newline included. */
function records(length: number, count: number): Buffer {
  return Buffer.alloc(length * count, Buffer.from(`${'x'.repeat(length - 1)}\n`));
}

test('the bound of one container is 30 MiB, in four files, the newest first', t => {
  t.is(LOG_FILES * LOG_FILE_BYTES, 30 * 2 ** 20);
  t.deepEqual(logFileNames('/l/1.log'), ['/l/1.log', '/l/1.log.1', '/l/1.log.2', '/l/1.log.3']);
});

test('a chunk that leaves room is taken whole', t => {
  t.deepEqual(cutChunk(records(100, 10), 0), { length: 1000, isFull: false });
  t.deepEqual(cutChunk(Buffer.from('half a rec'), 1_000_000), { length: 10, isFull: false });
});

test('a file ends with a whole record, close to its limit and never above', t => {
  for (const recordBytes of [46, 99, 1000, 8_300]) {
    const chunk = records(recordBytes, Math.floor(65_536 / recordBytes));
    for (let fileBytes = LOG_FILE_BYTES - 100_000; fileBytes < LOG_FILE_BYTES - 17_000; fileBytes += 997) {
      const { length, isFull } = cutChunk(chunk, fileBytes);
      t.true(fileBytes + length <= LOG_FILE_BYTES);
      if (!isFull) {
        t.is(length, chunk.length);
        continue;
      }
      t.is(chunk[length - 1], NEWLINE);
      t.true(fileBytes + length > LOG_FILE_BYTES - 17_000);
    }
  }
});

test('a record that began in the chunk before ends in its file', t => {
  const chunk = Buffer.from(`end of a record\n${'x'.repeat(100)}\n`);
  t.deepEqual(cutChunk(chunk, LOG_FILE_BYTES - 10_000), { length: 16, isFull: true });
});

test('bytes without a newline fill a file to its limit and no further', t => {
  t.deepEqual(cutChunk(Buffer.alloc(65_536, 'x'), LOG_FILE_BYTES - 70_000), { length: 65_536, isFull: false });
  t.deepEqual(cutChunk(Buffer.alloc(65_536, 'x'), LOG_FILE_BYTES - 1_000), { length: 1_000, isFull: true });
  t.deepEqual(cutChunk(Buffer.from('\n'), LOG_FILE_BYTES - 1), { length: 1, isFull: true });
});
