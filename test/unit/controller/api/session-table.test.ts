import test from 'ava';
import { SessionTable } from '../../../../controller/api/session-table.ts';
import type { LiveSession } from '../../../../controller/api/session-table.ts';
import { liveSession } from '../../../support/live-session.ts';

function session(node: string, closed: string[] = []): LiveSession {
  return liveSession(node, { close: reason => { closed.push(reason); } });
}

test('a new session of a node closes the one before', t => {
  const table = new SessionTable();
  const closed: string[] = [];
  const [first, second] = [session('n1', closed), session('n1')];
  table.add(first);
  table.add(second);
  t.deepEqual(closed, ['a newer session of this node was opened']);
  t.is(table.get(second.node), second);
  t.is(table.all().length, 1);
});

test('the end of a session that was followed changes nothing', t => {
  const table = new SessionTable();
  const [first, second] = [session('n1'), session('n1')];
  table.add(first);
  table.add(second);
  table.remove(first);
  t.is(table.get(second.node), second);
  table.remove(second);
  t.deepEqual(table.all(), []);
});

test('listeners hear of what comes and goes, until they are disposed', t => {
  const table = new SessionTable();
  let calls = 0;
  const listener = table.onChange(() => { calls += 1; });
  const one = session('n1');
  table.add(one);
  table.remove(one);
  table.remove(one);
  t.is(calls, 2);
  listener[Symbol.dispose]();
  table.changed();
  t.is(calls, 2);
});

test('behind are those that have not acknowledged what is expected: also one that comes later, no longer one that went or was followed', t => {
  const table = new SessionTable();
  const [first, other] = [session('n1'), session('n2')];
  table.add(first);
  t.false(table.isBehind, 'nothing is expected yet');
  table.expectEndpoints(7);
  table.add(other);
  table.acknowledgeEndpoints(first, 7);
  t.true(table.isBehind);
  table.remove(other);
  t.false(table.isBehind);
  table.expectEndpoints(8);
  table.acknowledgeEndpoints(first, 7);
  t.true(table.isBehind);
  const next = session('n1');
  table.add(next);
  table.acknowledgeEndpoints(next, 9);
  t.false(table.isBehind, 'newer than expected, and the one before does not count');
  table.acknowledgeEndpoints(first, 1);
  t.false(table.isBehind);
});

test('listeners hear of an acknowledgement that says something new', t => {
  const table = new SessionTable();
  const one = session('n1');
  table.add(one);
  let heard = 0;
  using _listener = table.onChange(() => { heard += 1; });
  table.acknowledgeEndpoints(one, 3);
  table.acknowledgeEndpoints(one, 3);
  t.is(heard, 1);
});
