import test from 'ava';
import { LOG_FILE_BYTES, MAX_LOOK_MS, nextLookMs } from '../../../../agent/logs/log-bounds.ts';

test('a log is looked at again before it has grown by a file at the speed seen; a quiet one twice a second', t => {
  t.is(nextLookMs({ bytes: 0, isNewFile: false, elapsedMs: 500 }), MAX_LOOK_MS);
  t.is(nextLookMs({ bytes: 10, isNewFile: false, elapsedMs: 500 }), MAX_LOOK_MS);
  t.is(nextLookMs({ bytes: LOG_FILE_BYTES, isNewFile: false, elapsedMs: 500 }), 250);
  t.is(nextLookMs({ bytes: 0, isNewFile: true, elapsedMs: 100 }), 50, 'it wrote a whole file, or part of it');
  t.is(nextLookMs({ bytes: LOG_FILE_BYTES, isNewFile: true, elapsedMs: 1 }), 20);
  t.is(nextLookMs({ bytes: 5, isNewFile: false, elapsedMs: 0 }), MAX_LOOK_MS);
});
