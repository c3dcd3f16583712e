import test from 'ava';
import { hasOneCopy, lastRunMs, leastReplaceAfterMs } from '#model/exclusive.ts';
import { container } from '../../../support/builders.ts';

test('what is not replaced while it may run has one copy', t => {
  t.deepEqual([{ kind: 'replace', afterMs: 1 }, { kind: 'hold' }, { kind: 'exclusive', stopAfterMs: 1, replaceAfterMs: 2 }].map(one => hasOneCopy(one as never)), [false, true, true]);
});

test('the last process ends with the grace period, and another is made 10 s later at the earliest', t => {
  const of = { stopAfterMs: 30_000, container: container({ stopGracePeriodMs: 20_000 }) };
  t.is(lastRunMs(of), 50_000);
  t.is(leastReplaceAfterMs(of), 60_000);
});
