import test from 'ava';
import type { ExecutionContext } from 'ava';
import { leastReplaceAfterMs } from '#model/exclusive.ts';
import { parseNodeId, serviceId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { createNodeApi } from '../../../../controller/api/node-api.ts';
import { createSecretApi } from '../../../../controller/api/secret-api.ts';
import { createServiceApi } from '../../../../controller/api/service-api.ts';
import { encodeApp, encodeNode, encodeService, encodeStatusRecord, encodeTask } from '../../../../controller/store/records.ts';
import { app, node, service, status, task, taskId } from '../../../support/builders.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../../support/memory-replica.ts';

const web = service({ container: { secrets: [{ source: 'key', target: '/run/secrets/key', mode: 0o400 }] } });
const daemon = service({ name: 'daemon', kind: 'global' });
const one = task(web, 'n1');
const N1 = parseNodeId('n1');

async function start(t: ExecutionContext): Promise<MemoryReplica> {
  const replica = await MemoryReplica.start(t);
  for (const each of [web, daemon]) {
    await replica.put({ kind: 'service', id: each.id }, encodeService(each));
  }
  await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1')));
  await replica.put({ kind: 'task', id: one.id }, encodeTask(one));
  return replica;
}
const scale = async (replica: MemoryReplica, id: number, replicas: number, of = web.id): Promise<void> => {
  await createServiceApi(replica.parts).scale({ requestId: requestId(id), service: of, replicas }, OPERATOR);
};

test('a service that scales by itself is not scaled by hand; the answer says what to do', async t => {
  const replica = await MemoryReplica.start(t);
  const scaling = service({ autoscale: { min: 2, max: 9, cpuPercent: 50, stabilizationMs: 0, upStabilizationMs: 0 } });
  await replica.put({ kind: 'service', id: scaling.id }, encodeService(scaling));
  const error = await t.throwsAsync(scale(replica, 1, 5, scaling.id));
  t.like(error, { code: 'FAILED_PRECONDITION' });
  t.regex(error.message, /scales by itself, from 2 to 9 replicas; apply it with another autoscale\.min or autoscale\.max/);
});

test('scale sets replicas within bounds, of a service that has some', async t => {
  const replica = await start(t);
  await scale(replica, 1, 10_000);
  t.is(replica.state.current.services.get(web.id)?.value.spec.replicas, 10_000);
  for (const [index, replicas] of [-1, 10_001, 1.5, Number.NaN, Infinity].entries()) {
    t.like(await t.throwsAsync(scale(replica, 10 + index, replicas)), { code: 'INVALID_ARGUMENT' });
  }
  t.like(await t.throwsAsync(scale(replica, 20, 1, daemon.id)), { code: 'FAILED_PRECONDITION' });
  t.like(await t.throwsAsync(scale(replica, 21, 1, serviceId('default', 'shop', 'none'))), { code: 'NOT_FOUND' });
});

test('a restart changes what tasks are made of, once a request', async t => {
  const replica = await start(t);
  const api = createServiceApi(replica.parts);
  await api.restart({ requestId: requestId(1), service: web.id }, OPERATOR);
  await api.restart({ requestId: requestId(1), service: web.id }, OPERATOR);
  const now = replica.state.current.services.get(web.id)?.value;
  t.is(now?.restartCount, 1);
  t.not(now?.templateHash, web.templateHash);
});

test('a task that is to stop, or was never there', async t => {
  const replica = await start(t);
  const api = createServiceApi(replica.parts);
  await api.stopTask({ requestId: requestId(1), task: one.id }, OPERATOR);
  t.is(replica.state.current.tasks.get(one.id)?.value.desired, 'stop');
  t.like(await t.throwsAsync(api.stopTask({ requestId: requestId(2), task: taskId('none') }, OPERATOR)), { code: 'NOT_FOUND' });
});

test('a task that stops already is hurried by a shorter grace period, and never given a longer one', async t => {
  const replica = await start(t);
  const api = createServiceApi(replica.parts);
  const graceMs = (): number | undefined => replica.state.current.tasks.get(one.id)?.value.container.stopGracePeriodMs;
  const own = graceMs() ?? 0;
  await api.stopTask({ requestId: requestId(1), task: one.id }, OPERATOR);
  await api.stopTask({ requestId: requestId(2), task: one.id, graceMs: own + 1 }, OPERATOR);
  t.is(graceMs(), own);
  await api.stopTask({ requestId: requestId(3), task: one.id, graceMs: 500 }, OPERATOR);
  t.is(graceMs(), 500);
  t.like(replica.state.current.tasks.get(one.id)?.value, { desired: 'stop', reason: 'stopped by an operator' });
});

test('labels of a node: the cluster\'s own stay, names and values are checked', async t => {
  const replica = await start(t);
  const api = createNodeApi(replica.parts);
  const set = async (id: number, name: string, value: string): Promise<void> => { await api.setLabels({ requestId: requestId(id), node: N1, set: new Map([[name, value]]), remove: [] }, OPERATOR); };
  await set(1, 'zone', 'a');
  t.is(replica.state.current.nodes.get(N1)?.value.labels.get('zone'), 'a');
  const bad = [['node', 'x'], ['arch', 'x'], ['', 'x'], ['a b', 'x'], ['a\n', 'x'], ['ok', 'x\n'], ['ok', '\u202e'], ['ok', 'x'.repeat(1_025)]] as const;
  for (const [index, [name, value]] of bad.entries()) {
    t.like(await t.throwsAsync(set(10 + index, name, value)), { code: 'INVALID_ARGUMENT' }, JSON.stringify([name, value]));
  }
});

test('a node with tasks that answers is not removed; a ready one is not confirmed lost', async t => {
  const replica = await start(t);
  const api = createNodeApi(replica.parts);
  t.like(await t.throwsAsync(api.removeNode({ requestId: requestId(1), node: N1 }, OPERATOR)), { code: 'FAILED_PRECONDITION' });
  t.like(await t.throwsAsync(api.confirmLost({ requestId: requestId(2), node: N1 }, OPERATOR)), { code: 'FAILED_PRECONDITION' });
  t.like(await t.throwsAsync(api.setTaints({ requestId: requestId(3), node: N1, taints: ['../x'] }, OPERATOR)), { code: 'INVALID_ARGUMENT' });
  await api.setAvailability({ requestId: requestId(4), node: N1, availability: 'cordoned' }, OPERATOR);
  t.is(replica.state.current.nodes.get(N1)?.value.availability, 'cordoned');
});

test('who made a node cordoned, draining and active is an event of the node, each time it changes', async t => {
  const replica = await start(t);
  const api = createNodeApi(replica.parts);
  for (const [index, availability] of (['cordoned', 'cordoned', 'draining', 'active'] as const).entries()) {
    await api.setAvailability({ requestId: requestId(index), node: N1, availability }, OPERATOR);
  }
  await api.setAvailability({ requestId: requestId(0), node: N1, availability: 'cordoned' }, OPERATOR);
  t.deepEqual(replica.told.map(({ object, reason }) => [object, reason]), [['node/n1', 'Cordoned'], ['node/n1', 'Draining'], ['node/n1', 'Uncordoned']]);
  t.is(replica.told[1]?.message, `operator ${OPERATOR.name} (${OPERATOR.address}) made it draining; it was cordoned`);
});

test('a silent node with tasks is not removed before it is lost: they may run there still', async t => {
  const replica = await start(t);
  const api = createNodeApi(replica.parts);
  const become = async (condition: Node['condition']): Promise<void> => { await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1', { condition }))); };
  await become('silent');
  const error = await t.throwsAsync(api.removeNode({ requestId: requestId(1), node: N1 }, OPERATOR));
  t.like(error, { code: 'FAILED_PRECONDITION' });
  t.regex(error.message, /^node n1 is silent and may be back at once: it has 1 task; wait until it is lost, or .*clusterctl node confirm-lost n1, then remove it$/);
  await become('lost');
  await api.removeNode({ requestId: requestId(2), node: N1 }, OPERATOR);
  t.false(replica.state.current.nodes.has(N1));
});

/** A node that is lost from now on, with an exclusive task that has not ended. */
async function loseExclusive(replica: MemoryReplica, over: Partial<Pick<Node, 'conditionSinceMs' | 'hasDeadman'>> = {}): Promise<{ readonly endsAfterMs: number }> {
  const exclusive = { ...one, stopAfterMs: 60_000 };
  await replica.put({ kind: 'task', id: one.id }, encodeTask(exclusive));
  await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1', { condition: 'lost', hasDeadman: true, conditionSinceMs: replica.clock.nowMs(), ...over })));
  return { endsAfterMs: leastReplaceAfterMs(exclusive) };
}

test('a lost node is not removed while an exclusive task may run there, where something stops it for sure', async t => {
  const replica = await start(t);
  const api = createNodeApi(replica.parts);
  const { endsAfterMs } = await loseExclusive(replica);
  await replica.clock.advance(endsAfterMs - 1_000);
  const error = await t.throwsAsync(api.removeNode({ requestId: requestId(1), node: N1 }, OPERATOR));
  t.like(error, { code: 'FAILED_PRECONDITION' });
  t.regex(error.message, new RegExp(`^node n1 is lost, but exclusive task ${one.name} may run there .*; remove the node in 1 s, or .*clusterctl node confirm-lost n1, then remove it$`));
  await replica.clock.advance(1_000);
  await api.removeNode({ requestId: requestId(2), node: N1 }, OPERATOR);
  t.false(replica.state.current.nodes.has(N1));
  await loseExclusive(replica, { hasDeadman: false });
  await api.removeNode({ requestId: requestId(3), node: N1 }, OPERATOR);
  t.false(replica.state.current.nodes.has(N1), 'where nothing does, only the operator knows');
});

test('how long a node has been lost does not follow the wall clocks, and each loss counts anew', async t => {
  const replica = await start(t);
  const api = createNodeApi(replica.parts);
  const remove = async (id: number): Promise<void> => { await api.removeNode({ requestId: requestId(id), node: N1 }, OPERATOR); };
  const { endsAfterMs } = await loseExclusive(replica, { conditionSinceMs: replica.clock.nowMs() - 3_600_000 });
  await t.throwsAsync(remove(1), { code: 'FAILED_PRECONDITION' }, 'the clock of the leader was behind');
  replica.clock.jumpWall(3_600_000);
  await t.throwsAsync(remove(2), { code: 'FAILED_PRECONDITION' }, 'ours is ahead');
  await replica.clock.advance(endsAfterMs - 1);
  // Back and lost again, told as one change.
  await loseExclusive(replica);
  await replica.clock.advance(1);
  await t.throwsAsync(remove(3), { code: 'FAILED_PRECONDITION' });
  replica.clock.jumpWall(-7_200_000);
  await replica.clock.advance(endsAfterMs - 1);
  await remove(4);
  t.false(replica.state.current.nodes.has(N1), 'ours is behind');
});

test('where the operator confirms that a lost node is off it is removed at once, whatever ran there', async t => {
  const replica = await start(t);
  const api = createNodeApi(replica.parts);
  await loseExclusive(replica);
  await t.throwsAsync(api.removeNode({ requestId: requestId(1), node: N1 }, OPERATOR), { code: 'FAILED_PRECONDITION' });
  await api.confirmLost({ requestId: requestId(2), node: N1 }, OPERATOR);
  await api.removeNode({ requestId: requestId(3), node: N1 }, OPERATOR);
  t.false(replica.state.current.nodes.has(N1));
});

test('a silent node is removed where nothing is on it', async t => {
  const replica = await start(t);
  await replica.put({ kind: 'status', id: one.id }, encodeStatusRecord(status(one, { phase: 'complete' })));
  await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1', { condition: 'silent' })));
  await createNodeApi(replica.parts).removeNode({ requestId: requestId(1), node: N1 }, OPERATOR);
  t.false(replica.state.current.nodes.has(N1));
});

test('a drained node is removed, but not with the data of a service', async t => {
  const replica = await start(t);
  const api = createNodeApi(replica.parts);
  const db = service({ name: 'db', kind: 'stateful', container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } });
  const holder = task(db, 'n1', { id: taskId('db') });
  await replica.put({ kind: 'task', id: holder.id }, encodeTask(holder));
  for (const ended of [one, holder]) {
    await replica.put({ kind: 'status', id: ended.id }, encodeStatusRecord(status(ended, { phase: 'complete' })));
  }
  t.regex((await t.throwsAsync(api.removeNode({ requestId: requestId(1), node: N1 }, OPERATOR))).message, /^node n1 has the data of volume default\/d/);
  await replica.put({ kind: 'task', id: holder.id }, encodeTask({ ...holder, container: one.container }));
  await api.removeNode({ requestId: requestId(2), node: N1 }, OPERATOR);
  t.false(replica.state.current.nodes.has(N1));
});

test('a secret that is created again after its deletion has versions that no earlier one had', async t => {
  const replica = await MemoryReplica.start(t);
  const api = createSecretApi(replica.parts);
  const put = async (id: number, content: string): Promise<number> =>
    (await api.putSecret({ requestId: requestId(id), namespace: 'default', name: 'spare', content: new TextEncoder().encode(content) }, OPERATOR)).version;
  t.deepEqual([await put(1, 'one'), await put(2, 'two')], [1, 2]);
  await api.deleteSecret({ requestId: requestId(3), namespace: 'default', name: 'spare' }, OPERATOR);
  t.is(await put(4, 'one'), 3);
  await api.deleteSecret({ requestId: requestId(5), namespace: 'default', name: 'spare' }, OPERATOR);
  t.is(await put(6, 'one'), 4);
  t.is((await api.listSecrets({ namespace: 'default' }, OPERATOR)).length, 1);
});

test('a secret that was deleted and created by other writes meanwhile does not get their version', async t => {
  const replica = await MemoryReplica.start(t);
  const beside = createSecretApi({ ...replica.parts, store: replica.etcd.connect() });
  const request = { namespace: 'default', name: 'spare', content: new TextEncoder().encode('late') };
  let isFirst = true;
  const store = Object.assign(replica.etcd.connect(), {});
  const transact = store.transact.bind(store);
  store.transact = async (...write: Parameters<typeof transact>) => {
    if (isFirst) {
      isFirst = false;
      await beside.putSecret({ ...request, requestId: requestId(1), content: new TextEncoder().encode('early') }, OPERATOR);
      await beside.deleteSecret({ ...request, requestId: requestId(2) }, OPERATOR);
    }
    return await transact(...write);
  };
  t.is((await createSecretApi({ ...replica.parts, store }).putSecret({ ...request, requestId: requestId(3) }, OPERATOR)).version, 2);
});

test('a secret: the same content is the same version, what is used stays, values never come back', async t => {
  const replica = await start(t);
  const api = createSecretApi(replica.parts);
  const put = async (id: number, name: string, content: string): Promise<number> =>
    (await api.putSecret({ requestId: requestId(id), namespace: 'default', name, content: new TextEncoder().encode(content) }, OPERATOR)).version;
  t.deepEqual([await put(1, 'key', 'a'), await put(2, 'key', 'a'), await put(3, 'key', 'b')], [1, 1, 2]);
  const listed = await api.listSecrets({ namespace: 'default' }, OPERATOR);
  t.deepEqual(listed.map(secret => Object.keys(secret).toSorted()), [['createdAtMs', 'name', 'namespace', 'version']]);
  t.like(await t.throwsAsync(api.deleteSecret({ requestId: requestId(4), namespace: 'default', name: 'key' }, OPERATOR)), { code: 'FAILED_PRECONDITION' });
  t.like(await t.throwsAsync(api.deleteSecret({ requestId: requestId(5), namespace: 'default', name: 'none' }, OPERATOR)), { code: 'NOT_FOUND' });
  t.like(await t.throwsAsync(put(6, '../x', 'a')), { code: 'INVALID_ARGUMENT' });
  t.like(await t.throwsAsync(put(7, 'big', 'x'.repeat(524_289))), { code: 'INVALID_ARGUMENT' });
});

test('a cron is run now once a request, as a job of its own; nothing else is', async t => {
  const replica = await start(t);
  const cron = service({ name: 'report', kind: 'cron', cron: { schedule: '@daily', timezone: 'UTC', concurrency: 'forbid', keptSucceeded: 3, keptFailed: 1, isSuspended: true } });
  await replica.put({ kind: 'app', id: app().id }, encodeApp(app()));
  await replica.put({ kind: 'service', id: cron.id }, encodeService(cron));
  const api = createServiceApi(replica.parts);
  const first = await api.runCron({ requestId: requestId(1), service: cron.id }, OPERATOR);
  t.deepEqual(await api.runCron({ requestId: requestId(1), service: cron.id }, OPERATOR), first);
  const run = replica.state.current.services.get(first.service)?.value;
  t.like(run, { spec: { kind: 'job' }, cronRun: { cron: 'report', isManual: true } });
  t.is([...replica.state.current.services.values()].filter(one => one.value.cronRun !== undefined).length, 1);
  t.like(await t.throwsAsync(api.runCron({ requestId: requestId(2), service: web.id }, OPERATOR)), { code: 'FAILED_PRECONDITION' });
  t.like(await t.throwsAsync(api.runCron({ requestId: requestId(3), service: serviceId('default', 'shop', 'none') }, OPERATOR)), { code: 'NOT_FOUND' });
  t.like(await t.throwsAsync(api.restart({ requestId: requestId(4), service: cron.id }, OPERATOR)), { code: 'FAILED_PRECONDITION' });
  t.like(await t.throwsAsync(scale(replica, 5, 2, cron.id)), { code: 'FAILED_PRECONDITION' });
});
