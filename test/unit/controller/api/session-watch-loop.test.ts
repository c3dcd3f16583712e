import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { SessionTable } from '../../../../controller/api/session-table.ts';
import { SessionWatchLoop } from '../../../../controller/api/session-watch-loop.ts';
import { encodeNode, encodeService, encodeTask } from '../../../../controller/store/records.ts';
import { node, service, task } from '../../../support/builders.ts';
import { settle } from '../../../support/fake-clock.ts';
import { liveSession } from '../../../support/live-session.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';

test('a session hears of what concerns its node, and of tasks, which may be unreadable and name no node then', async t => {
  const replica = await MemoryReplica.start(t);
  const sessions = new SessionTable();
  const heard: string[] = [];
  for (const name of ['n1', 'n2']) {
    sessions.add(liveSession(name, { changed: () => { heard.push(name); } }));
  }
  void new SessionWatchLoop({ state: replica.state, sessions }).run(replica.signal).catch(() => undefined);
  await settle();
  await replica.put({ kind: 'node', id: parseNodeId('n2') }, encodeNode(node('n2')));
  t.deepEqual(heard, ['n2']);
  await replica.put({ kind: 'service', id: service().id }, encodeService(service()));
  t.deepEqual(heard, ['n2']);
  const placed = task(service(), 'n1');
  await replica.put({ kind: 'task', id: placed.id }, encodeTask(placed));
  t.deepEqual(heard, ['n2', 'n1', 'n2']);
});
