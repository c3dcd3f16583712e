import test from 'ava';
import { buildKey } from '../../../controller/store/keys.ts';
import type { Operation } from '../../../controller/store/ports.ts';
import { ClusterHistory } from '../../support/cluster-history.ts';
import { eventually } from '../../support/dev-cluster.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryEtcd } from '../../support/memory-store.ts';

const keyOf = (id: string): string => buildKey({ kind: 'controller', id });
const put = (id: string): Operation => ({ kind: 'put', key: keyOf(id), value: new Uint8Array() });
const remove = (id: string): Operation => ({ kind: 'delete', key: keyOf(id) });

/** A history that read two records, then missed one put, one change and one delete that a compaction took away. */
async function cutHistory(mayBeCompacted: boolean): Promise<ClusterHistory> {
  const etcd = new MemoryEtcd(new FakeClock());
  const [client, writer] = [etcd.connect(), etcd.connect()];
  await writer.transact([], [put('a'), put('b')]);
  const history = new ClusterHistory(client);
  history.mayBeCompacted = mayBeCompacted;
  await eventually('the first entry', 10_000, () => history.entries.length === 1);
  client.cut();
  await writer.transact([], [put('c')]);
  await writer.transact([], [remove('a')]);
  await writer.transact([], [put('b')]);
  etcd.compact(etcd.etcdRevision);
  client.heal();
  return history;
}

test('a history that a compaction cut goes on from a new list, with what differs in the order of revisions', async t => {
  const history = await cutHistory(true);
  await eventually('the difference', 10_000, () => history.entries.length === 2);
  const { batch } = history.entries[1] ?? t.fail('no entry');
  t.is(batch.etcdRevision, 5);
  t.deepEqual(batch.changes.map(change => (change.kind === 'put' ? ['put', change.entry.key, change.entry.modRevision] : ['delete', change.key, change.modRevision])),
    [['put', keyOf('c'), 3], ['put', keyOf('b'), 5], ['delete', keyOf('a'), 5]]);
  await history.close();
});

test('where no test allows it, a history that a compaction cut ends with an error: its checks would miss what was lost', async t => {
  const history = await cutHistory(false);
  const error = await t.throwsAsync(history.catchUp());
  t.is(error.name, 'CompactedError');
  await t.throwsAsync(history.close(), { name: 'CompactedError' });
});
