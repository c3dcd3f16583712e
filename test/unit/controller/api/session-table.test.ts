import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { SessionTable } from '../../../../controller/api/session-table.ts';
import type { LiveSession } from '../../../../controller/api/session-table.ts';

function session(node: string, closed: string[] = []): LiveSession {
  return { node: parseNodeId(node), sessionId: 's', recordRevision: 1, endpointsGeneration: 0, lastHeardMonotonicMs: 0, send: () => undefined, close: reason => { closed.push(reason); } };
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
