import test from 'ava';
import { ReportBook } from '../../../../agent/task/report-book.ts';
import { service, status, task } from '../../../support/builders.ts';

const WEB = task(service(), 'n1');
const SETTLED = [{ task: WEB.id, attempt: 1, phase: 'running' }];

test('a status is new once', t => {
  const book = new ReportBook();
  t.true(book.take(status(WEB)));
  t.false(book.take(status(WEB)));
});

test('a status that goes back is not taken', t => {
  const book = new ReportBook();
  book.take(status(WEB, { attempt: 2 }));
  t.false(book.take(status(WEB, { attempt: 1 })));
  t.false(book.take(status(WEB, { attempt: 2, phase: 'starting' })));
  t.deepEqual(book.toSend(1, 0, 500).map(one => [one.attempt, one.phase]), [[2, 'running']]);
});

test('sent once, again after resendMs, never once settled', t => {
  const book = new ReportBook();
  book.take(status(WEB));
  t.is(book.toSend(1, 0, 500).length, 1);
  t.is(book.toSend(2, 499, 500).length, 0);
  t.is(book.toSend(3, 500, 500).length, 1);
  book.settle(3, SETTLED);
  t.is(book.toSend(4, 5_000, 500).length, 0);
});

test('an acknowledgement of an older beat settles nothing newer', t => {
  const book = new ReportBook();
  book.take(status(WEB));
  book.toSend(1, 0, 500);
  book.take(status(WEB, { health: 'healthy' }));
  book.toSend(2, 10, 500);
  book.settle(1, SETTLED);
  t.is(book.toSend(3, 600, 500).length, 1);
  book.settle(3, SETTLED);
  t.is(book.toSend(4, 5_000, 500).length, 0);
});

test('a registration carries what was settled too', t => {
  const book = new ReportBook();
  book.take(status(WEB));
  book.toSend(1, 0, 500);
  book.settle(1, SETTLED);
  t.is(book.all(1_000).length, 1);
});

test('a dropped task is not spoken of', t => {
  const book = new ReportBook();
  book.take(status(WEB));
  book.drop(WEB.id);
  t.is(book.all(0).length, 0);
});
