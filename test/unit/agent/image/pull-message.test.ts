import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import { percentOf, pullMessage } from '../../../../agent/image/pull-message.ts';

const digest = parseDigest(`sha256:${'a'.repeat(64)}`);
const layer = (sizeBytes: number, doneBytes: number) => ({ digest, sizeBytes, doneBytes, isComplete: false });

test('per cent is of all bytes together, rounded down', t => {
  t.is(percentOf([layer(100, 100), layer(200, 31)]), 43);
  t.is(percentOf([layer(1000, 999)]), 99);
});

test('before anything is known it is 0', t => { t.is(percentOf([]), 0); });

test('one line for a person', t => {
  t.is(pullMessage([layer(180 * 2 ** 20, 80 * 2 ** 20)]), 'pulling 44 % of 180 MiB');
  t.is(pullMessage([layer(10, 5)]), 'pulling 50 % of 1 MiB');
});
