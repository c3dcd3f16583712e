import test from 'ava';
import { ReportBook } from '../../../../agent/task/report-book.ts';
import { service, status, task } from '../../../support/builders.ts';

const WEB = task(service(), 'n1');
const SETTLED = [{ task: WEB.id, attempt: 1, phase: 'running' }];

test('a status is new once', t => {
  const book = new ReportBook();
  t.true(book.take(status(WEB), 0));
  t.false(book.take(status(WEB), 0));
});

test('a status that goes back is not taken', t => {
  const book = new ReportBook();
  book.take(status(WEB, { attempt: 2 }), 0);
  t.false(book.take(status(WEB, { attempt: 1 }), 0));
  t.false(book.take(status(WEB, { attempt: 2, phase: 'starting' }), 0));
  t.deepEqual(book.toSend(1, 0, 500).map(one => [one.attempt, one.phase]), [[2, 'running']]);
});

test('sent once, again after resendMs, never once settled', t => {
  const book = new ReportBook();
  book.take(status(WEB), 0);
  t.is(book.toSend(1, 0, 500).length, 1);
  t.is(book.toSend(2, 499, 500).length, 0);
  t.is(book.toSend(3, 500, 500).length, 1);
  book.settle(3, SETTLED);
  t.is(book.toSend(4, 5_000, 500).length, 0);
});

test('an acknowledgement of an older beat settles nothing newer', t => {
  const book = new ReportBook();
  book.take(status(WEB), 0);
  book.toSend(1, 0, 500);
  book.take(status(WEB, { health: 'healthy' }), 0);
  book.toSend(2, 10, 500);
  book.settle(1, SETTLED);
  t.is(book.toSend(3, 600, 500).length, 1);
  book.settle(3, SETTLED);
  t.is(book.toSend(4, 5_000, 500).length, 0);
});

test('a registration carries what was settled too', t => {
  const book = new ReportBook();
  book.take(status(WEB), 0);
  book.toSend(1, 0, 500);
  book.settle(1, SETTLED);
  t.is(book.all(1_000).length, 1);
});

test('a dropped task is not spoken of', t => {
  const book = new ReportBook();
  book.take(status(WEB), 0);
  book.drop(WEB.id);
  t.is(book.all(0).length, 0);
});

test('4 a step on the way is sent once it has lasted, counted from the first', t => {
  const book = new ReportBook();
  book.take(status(WEB, { phase: 'pulling' }), 1_000);
  book.take(status(WEB, { phase: 'preparing' }), 1_060);
  t.is(book.dueInMs(1_060), 440);
  t.deepEqual(book.toSend(1, 1_499, 500), []);
  t.deepEqual(book.toSend(2, 1_500, 500).map(({ phase }) => phase), ['preparing']);
  t.is(book.dueInMs(1_500), Infinity);
});

test('a step that is over sooner is never sent', t => {
  const book = new ReportBook();
  book.take(status(WEB, { phase: 'starting' }), 0);
  book.take(status(WEB, { phase: 'running' }), 20);
  t.deepEqual(book.toSend(1, 20, 500).map(({ phase }) => phase), ['running']);
});

test('4 that a task waits its turn is told after five seconds', t => {
  const book = new ReportBook();
  book.take(status(WEB, { phase: 'assigned', attempt: 0 }), 0);
  t.deepEqual(book.toSend(1, 4_999, 500), []);
  t.deepEqual(book.toSend(2, 5_000, 500).map(({ phase }) => phase), ['assigned']);
});

const MANY = Array.from({ length: 8 }, (_, slot) => task(service(), 'n1', { slot }));

/** All of MANY are assigned, and `count` of them run a millisecond after each other. */
function burst(count: number, book = new ReportBook()): ReportBook {
  MANY.forEach(one => book.take(status(one, { phase: 'assigned', attempt: 0 }), 0));
  MANY.slice(0, count).forEach((one, index) => book.take(status(one), 1 + index));
  return book;
}

test('5 in a burst what is new goes together, a tenth of a second after the first of it', t => {
  const book = burst(3);
  t.is(book.dueInMs(3), 98);
  t.is(book.toSend(1, 101, 500).length, 3);
});

test('5 the last of a burst wait for nobody, and take along what waits', t => {
  const book = burst(4);
  t.is(book.dueInMs(4), 0);
  t.is(book.toSend(1, 4, 500).length, 4);
});

test('5 a heartbeat that is sent for another reason is no company', t => {
  t.is(burst(3).toSend(1, 3, 500).length, 0);
});

test('5 steps that were told, and tasks that are gone, are on their way no more', t => {
  const told = burst(3);
  told.toSend(1, 5_000, 500);
  told.take(status(MANY[7] ?? WEB), 5_001);
  t.is(told.dueInMs(5_001), 0);
  const dropped = burst(0);
  MANY.slice(0, 4).forEach(({ id }) => { dropped.drop(id); });
  dropped.take(status(MANY[7] ?? WEB), 1);
  t.is(dropped.dueInMs(1), 0);
});

for (const [what, told] of [
  ['an attempt that ended', { phase: 'assigned', attempt: 2 }], ['trouble on the way', { phase: 'pulling', reason: 'ImagePullFailed', message: 'no such image' }],
  ['how far a pull is', { phase: 'pulling', message: '1 of 2 layers' }], ['the end of an unhealthy one', { phase: 'stopping', reason: 'unhealthy' }],
] as const) {
  test(`sent at once: ${what}`, t => {
    const book = new ReportBook();
    book.take(status(WEB, told), 0);
    t.is(book.toSend(1, 0, 500).length, 1);
  });
}

test('what was due at once is not held back by a step that follows before the next beat', t => {
  const book = new ReportBook();
  book.take(status(WEB, { phase: 'assigned', attempt: 2 }), 0);
  book.take(status(WEB, { phase: 'preparing', attempt: 2 }), 1);
  t.deepEqual(book.toSend(1, 2, 500).map(({ phase, attempt }) => [phase, attempt]), [['preparing', 2]]);
});
