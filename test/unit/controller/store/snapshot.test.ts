import test from 'ava';
import { fc } from '../../../support/property.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Ledger, Node } from '#model/node.ts';
import { appId } from '#model/ids.ts';
import { buildKey, volumeKey } from '../../../../controller/store/keys.ts';
import type { RecordKey } from '../../../../controller/store/keys.ts';
import type { Operation } from '../../../../controller/store/ports.ts';
import {
  encodeControllerRecord, encodeLedger, encodeNode, encodeSecretVersion, encodeService, encodeTask, encodeTaskStatus, encodeVolume,
} from '../../../../controller/store/records.ts';
import { ClusterMirror, joinChanges } from '../../../../controller/store/snapshot.ts';
import { node, service, status, task, taskId, T0, volume } from '../../../support/builders.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { MemoryEtcd } from '../../../support/memory-store.ts';

const ROOT = '/gantry/v1/';
const web = service({ name: 'web' });
const api = service({ name: 'api' });
const put = (key: RecordKey, value: Uint8Array): Operation => ({ kind: 'put', key: buildKey(key), value });
const remove = (key: RecordKey): Operation => ({ kind: 'delete', key: buildKey(key) });
const putTask = (id: string, of = web, on = 'n1'): Operation => put({ kind: 'task', id: taskId(id) }, encodeTask(task(of, on, { id: taskId(id) })));

function volumeOperation(what: 'put' | 'leave' | 'poison' | 'remove', on: string): Operation {
  const key = volumeKey(volume(on));
  switch (what) {
    case 'put': return put(key, encodeVolume(volume(on)));
    case 'leave': return put(key, encodeVolume(volume(on, { state: 'removing' })));
    case 'poison': return put(key, new Uint8Array([250, 1, 2]));
    case 'remove': return remove(key);
  }
}

function mirrorOf(etcd: MemoryEtcd): ClusterMirror {
  const mirror = new ClusterMirror();
  mirror.beginList();
  mirror.reset({ etcdRevision: etcd.etcdRevision, entries: etcd.range([ROOT]) });
  return mirror;
}

/** Everything that the snapshot says, in an order of its own. */
function plainOf({ unreadableTasks, unreadableVolumes, ...snapshot }: ClusterSnapshot): unknown {
  return Object.fromEntries(Object.entries({ ...snapshot, unreadableTasks: [...unreadableTasks.keys()].sort(), unreadableVolumes: [...unreadableVolumes].sort() }).map(([name, value]) => [name, value instanceof Map
    ? [...(value as Map<string, unknown>)].map(([id, inner]) => [id, inner instanceof Set ? [...(inner as Set<string>)] : inner]).sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1))
    : value]));
}

test('1 after any history, batch by batch equals one list; a list in the middle changes nothing', t => {
  const ids = ['a', 'b', 'c', 'd'];
  const step = fc.oneof(
    fc.record({ kind: fc.constant('task' as const), id: fc.constantFrom(...ids), of: fc.constantFrom(web, api), on: fc.constantFrom('n1', 'n2') }),
    fc.record({ kind: fc.constantFrom('remove-task' as const, 'status' as const, 'poison' as const), id: fc.constantFrom(...ids) }),
    fc.record({ kind: fc.constantFrom('secret' as const, 'remove-secret' as const), version: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant('volume' as const), what: fc.constantFrom('put' as const, 'leave' as const, 'poison' as const, 'remove' as const), on: fc.constantFrom('n1', 'n2') }),
    fc.record({ kind: fc.constantFrom('leader' as const, 'remove-leader' as const, 'node' as const, 'list' as const) }),
  );
  const operationOf = (one: Exclude<typeof step extends fc.Arbitrary<infer T> ? T : never, { kind: 'list' }>): Operation | undefined => {
    switch (one.kind) {
      case 'task': return putTask(one.id, one.of, one.on);
      case 'remove-task': return remove({ kind: 'task', id: taskId(one.id) });
      case 'status': return put({ kind: 'status', id: taskId(one.id) }, encodeTaskStatus(status(task(web, 'n1', { id: taskId(one.id) }))));
      case 'poison': return put({ kind: 'task', id: taskId(one.id) }, new Uint8Array([250, 1, 2]));
      case 'secret': return put({ kind: 'secret', namespace: 'default', name: 'db', version: one.version }, encodeSecretVersion({
        namespace: 'default', name: 'db', version: one.version, keyId: 'k', nonce: new Uint8Array(12), sealed: new Uint8Array(16), createdAtMs: T0,
      }));
      case 'remove-secret': return remove({ kind: 'secret', namespace: 'default', name: 'db', version: one.version });
      case 'volume': return volumeOperation(one.what, one.on);
      case 'leader': return put({ kind: 'leader' }, encodeControllerRecord({ id: 'c1', apiAddress: 'a:1', metricsAddress: 'a:2', startedAtMs: T0 }));
      case 'remove-leader': return remove({ kind: 'leader' });
      case 'node': return put({ kind: 'node', id: node('n1').id }, encodeNode(node('n1')));
      case 'list': return undefined;
    }
  };
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), steps => {
    const etcd = new MemoryEtcd(new FakeClock());
    const mirror = mirrorOf(etcd);
    let seen = etcd.etcdRevision;
    for (const one of steps) {
      const operation = operationOf(one);
      if (operation === undefined) {
        mirror.beginList();
        t.is(mirror.reset({ etcdRevision: etcd.etcdRevision, entries: etcd.range([ROOT]) }).differences, 0);
        continue;
      }
      etcd.commit([], [operation]);
      for (const batch of etcd.historyAfter(seen)) {
        mirror.apply(batch);
        seen = batch.etcdRevision;
      }
    }
    const fresh = mirrorOf(etcd);
    t.deepEqual(plainOf(mirror.current), plainOf(fresh.current));
    t.deepEqual([...mirror.invalid.keys()].sort(), [...fresh.invalid.keys()].sort());
  }), { numRuns: 200 });
  t.pass();
});

test('3 an App or a Node that cannot be read is told by its id until it can be, or is gone', t => {
  const etcd = new MemoryEtcd(new FakeClock());
  const nodeKey = { kind: 'node', id: node('n1').id } as const;
  const appKey = { kind: 'app', id: appId('default', 'shop') } as const;
  etcd.commit([], [put(nodeKey, new Uint8Array([250, 1, 2])), put(appKey, new Uint8Array([250, 1, 2]))]);
  const mirror = mirrorOf(etcd);
  t.deepEqual([[...mirror.current.unreadableNodes.keys()], [...mirror.current.unreadableApps]], [[nodeKey.id], [appKey.id]]);
  const seen = etcd.etcdRevision;
  etcd.commit([], [put(nodeKey, encodeNode(node('n1'))), remove(appKey)]);
  etcd.historyAfter(seen).forEach(batch => mirror.apply(batch));
  t.deepEqual([[...mirror.current.unreadableNodes.keys()], [...mirror.current.unreadableApps]], [[], []]);
});

test('3 of a task or node that cannot be read, its place is known from the record before, or from the legible part', t => {
  const etcd = new MemoryEtcd(new FakeClock());
  const taskKey = { kind: 'task', id: taskId('a') } as const;
  const nodeKey = { kind: 'node', id: node('n1').id } as const;
  const [whole, nodeBytes] = [encodeTask(task(web, 'n1', { id: taskId('a') })), encodeNode(node('n1', { subnetIndex: 7 }))];
  const place = { serviceId: web.id, node: nodeKey.id };
  const known = (): unknown => {
    const { unreadableTasks, unreadableNodes } = mirrorOf(etcd).current;
    return [unreadableTasks.get(taskKey.id), unreadableNodes.get(nodeKey.id)];
  };
  etcd.commit([], [put(taskKey, whole), put(nodeKey, nodeBytes)]);
  const mirror = mirrorOf(etcd);
  const seen = etcd.etcdRevision;
  etcd.commit([], [put(taskKey, new Uint8Array([250, 1, 2])), put(nodeKey, new Uint8Array([250, 1, 2]))]);
  etcd.commit([], [put(taskKey, new Uint8Array([250, 1, 3])), put(nodeKey, new Uint8Array([250, 1, 3]))]);
  etcd.historyAfter(seen).forEach(batch => mirror.apply(batch));
  t.deepEqual([mirror.current.unreadableTasks.get(taskKey.id), mirror.current.unreadableNodes.get(nodeKey.id)], [place, { subnetIndex: 7 }]);
  t.deepEqual(known(), [{}, {}], 'a mirror that never saw another record');
  etcd.commit([], [put(taskKey, new Uint8Array([250, ...whole.subarray(1)])), put(nodeKey, new Uint8Array([250, ...nodeBytes.subarray(1)]))]);
  t.deepEqual(known(), [place, { subnetIndex: 7 }], 'of a newer schema');
  etcd.commit([], [put(taskKey, whole.subarray(0, -3)), put(nodeKey, nodeBytes.subarray(0, -1))]);
  t.deepEqual(known(), [place, { subnetIndex: 7 }], 'cut');
});

test('2 a list read before newer batches undoes neither their puts nor their deletes', t => {
  const etcd = new MemoryEtcd(new FakeClock());
  etcd.commit([], [putTask('a'), putTask('b')]);
  const mirror = mirrorOf(etcd);
  mirror.beginList();
  const list = { etcdRevision: etcd.etcdRevision, entries: etcd.range([ROOT]) };
  etcd.commit([], [remove({ kind: 'task', id: taskId('a') }), putTask('c')]);
  etcd.historyAfter(list.etcdRevision).forEach(batch => mirror.apply(batch));
  const change = mirror.reset(list);
  t.is(change.differences, 0);
  t.deepEqual([...mirror.current.tasks.keys()].sort(), [taskId('b'), taskId('c')]);
});

test('2 a watch that is behind a list undoes nothing of it: neither a newer put nor a delete', t => {
  const etcd = new MemoryEtcd(new FakeClock());
  const mirror = mirrorOf(etcd);
  const before = etcd.etcdRevision;
  const putNode = (availability: Node['availability']): Operation => put({ kind: 'node', id: node('n1').id }, encodeNode(node('n1', { availability })));
  etcd.commit([], [putNode('draining')]);
  etcd.commit([], [putTask('a')]);
  etcd.commit([], [putNode('active'), remove({ kind: 'task', id: taskId('a') })]);
  mirror.beginList();
  mirror.reset({ etcdRevision: etcd.etcdRevision, entries: etcd.range([ROOT]) });
  const listed = plainOf(mirror.current);
  for (const batch of etcd.historyAfter(before)) {
    mirror.apply(batch);
    t.deepEqual(plainOf(mirror.current), listed);
  }
  etcd.commit([], [putNode('cordoned')]);
  etcd.historyAfter(etcd.etcdRevision - 1).forEach(batch => mirror.apply(batch));
  t.is(mirror.current.nodes.get(node('n1').id)?.value.availability, 'cordoned');
});

test('2 a list repairs a delete that was never told, and says whose it was', t => {
  const etcd = new MemoryEtcd(new FakeClock());
  etcd.commit([], [putTask('a')]);
  const mirror = mirrorOf(etcd);
  etcd.commit([], [remove({ kind: 'task', id: taskId('a') })]);
  mirror.beginList();
  const change = mirror.reset({ etcdRevision: etcd.etcdRevision, entries: etcd.range([ROOT]) });
  t.is(change.differences, 1);
  t.deepEqual([...change.services], [web.id]);
  t.is(mirror.current.tasks.size, 0);
  t.is(mirror.current.tasksOfService.size, 0);
});

test('2 a store that went back counts alone', t => {
  const newer = new MemoryEtcd(new FakeClock());
  newer.commit([], [putTask('a')]);
  newer.commit([], [putTask('b')]);
  const mirror = mirrorOf(newer);
  const older = new MemoryEtcd(new FakeClock());
  older.commit([], [putTask('c')]);
  mirror.beginList();
  const change = mirror.reset({ etcdRevision: older.etcdRevision, entries: older.range([ROOT]) });
  t.true(change.hasGoneBack);
  t.deepEqual([...mirror.current.tasks.keys()], [taskId('c')]);
  t.is(mirror.current.etcdRevision, older.etcdRevision);
  older.commit([], [putTask('d')]);
  older.historyAfter(mirror.current.etcdRevision).forEach(batch => mirror.apply(batch));
  t.true(mirror.current.tasks.has(taskId('d')));
});

test('3 a record that cannot be read is listed with its key; a good one in its place clears it', t => {
  const etcd = new MemoryEtcd(new FakeClock());
  etcd.commit([], [putTask('a'), put({ kind: 'service', id: web.id }, new Uint8Array([99, 1]))]);
  const mirror = mirrorOf(etcd);
  t.deepEqual([...mirror.invalid.keys()], [buildKey({ kind: 'service', id: web.id })]);
  t.regex(mirror.invalid.get(buildKey({ kind: 'service', id: web.id }))?.message ?? '', /schema 99/);
  t.is(mirror.current.services.size, 0);
  t.is(mirror.current.tasks.size, 1);
  etcd.commit([], [put({ kind: 'service', id: web.id }, encodeService(web))]);
  etcd.historyAfter(mirror.current.etcdRevision).forEach(batch => mirror.apply(batch));
  t.is(mirror.invalid.size, 0);
  t.is(mirror.current.services.size, 1);
});

test('a change of a task, of its status, or of a ledger names service and node, also when the task moves between indexes', t => {
  const etcd = new MemoryEtcd(new FakeClock());
  const mirror = mirrorOf(etcd);
  const step = (...operations: Operation[]) => {
    etcd.commit([], operations);
    return etcd.historyAfter(mirror.current.etcdRevision).map(batch => mirror.apply(batch)).at(-1);
  };
  const born = step(putTask('a', web, 'n1'));
  t.deepEqual([[...born!.services], [...born!.nodes]], [[web.id], [node('n1').id]]);
  const reported = step(put({ kind: 'status', id: taskId('a') }, encodeTaskStatus(status(task(web, 'n1', { id: taskId('a') })))));
  t.deepEqual([...reported!.services], [web.id]);
  const ledger: Ledger = { node: node('n2').id, requests: { milliCpu: 0, memoryBytes: 0 }, hostPorts: [] };
  t.deepEqual([...step(put({ kind: 'ledger', id: ledger.node }, encodeLedger(ledger)))!.nodes], [ledger.node]);
  t.deepEqual([...step(remove({ kind: 'task', id: taskId('a') }))!.nodes], [node('n1').id]);
});

test('index sets are in the order of ids, whatever the order of births', t => {
  const etcd = new MemoryEtcd(new FakeClock());
  const mirror = mirrorOf(etcd);
  for (const id of ['c', 'a', 'b']) {
    etcd.commit([], [putTask(id)]);
    etcd.historyAfter(mirror.current.etcdRevision).forEach(batch => mirror.apply(batch));
  }
  t.deepEqual([...mirror.current.tasksOfService.get(web.id) ?? []], [taskId('a'), taskId('b'), taskId('c')]);
});

test('changes joined name all that either touched, at the revision of the later', t => {
  const mirror = new ClusterMirror();
  const web = service();
  const one = task(web, 'n1');
  const put = (key: RecordKey, value: Uint8Array, modRevision: number) => mirror.apply({ etcdRevision: modRevision, changes: [{ kind: 'put', entry: { key: buildKey(key), value, createRevision: modRevision, modRevision } }] });
  const joined = joinChanges(put({ kind: 'service', id: web.id }, encodeService(web), 2), put({ kind: 'task', id: one.id }, encodeTask(one), 3));
  t.deepEqual({ ...joined, kinds: [...joined.kinds], apps: [...joined.apps], services: [...joined.services], nodes: [...joined.nodes], tasks: [...joined.tasks] },
    { etcdRevision: 3, kinds: ['service', 'task'], apps: [], services: [web.id], nodes: [one.node], tasks: [one.id] });
});

test('volumes that are to leave are told by node; one that cannot be read is told by its key', t => {
  const etcd = new MemoryEtcd(new FakeClock());
  const mirror = mirrorOf(etcd);
  const apply = (...operations: readonly Operation[]): void => {
    etcd.commit([], operations);
    mirror.reset({ etcdRevision: etcd.etcdRevision, entries: etcd.range([ROOT]) });
  };
  const [onN1, onN2] = [volume('n1', { state: 'removing', slot: 2 }), volume('n2')];
  apply(put(volumeKey(onN1), encodeVolume(onN1)), put(volumeKey(onN2), encodeVolume(onN2)));
  t.deepEqual([...mirror.current.volumesLeaving].map(([id, names]) => [id, [...names]]), [[onN1.node, ['default/data-2']]]);
  apply(put(volumeKey(onN1), encodeVolume({ ...onN1, state: 'removed' })), put(volumeKey(onN2), new Uint8Array([250])));
  t.is(mirror.current.volumesLeaving.size, 0);
  t.deepEqual([...mirror.current.unreadableVolumes], ['default/data/n2']);
});
