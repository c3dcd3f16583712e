import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseNodeId, serviceId } from '#model/ids.ts';
import type { ResourceTarget } from '#model/ports.ts';
import { resourcesKey } from '#model/resources.ts';
import type { Limits, ResourceChange } from '#model/resources.ts';
import { createResizeApi } from '../../../../controller/api/resize-api.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { decodeRevision, encodeApp, encodeNode, encodeRevision, encodeService, encodeStatusRecord, encodeTask } from '../../../../controller/store/records.ts';
import { app, MIB, node, resources, revisionWith, service, status, task, taskId } from '../../../support/builders.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../../support/memory-replica.ts';

const web = service({ container: { requests: resources(100, 32), limits: { memoryBytes: 64 * MIB, pids: 512 } } });
const db = service({ name: 'db' });
const one = task(web, 'n1');
const ended = task(web, 'n1', { slot: 1 });
const N1 = parseNodeId('n1');
const OF_WEB: ResourceTarget = { kind: 'service', service: web.id };
const OF_ONE: ResourceTarget = { kind: 'task', task: one.id };

async function start(t: ExecutionContext): Promise<MemoryReplica> {
  const replica = await MemoryReplica.start(t);
  await replica.put({ kind: 'app', id: app().id }, encodeApp(app()));
  await replica.put({ kind: 'revision', app: app().id, number: 1 }, encodeRevision({ ...revisionWith(web), services: [web.spec, db.spec] }));
  for (const each of [web, db]) {
    await replica.put({ kind: 'service', id: each.id }, encodeService(each));
  }
  for (const [of, phase] of [[one, 'running'], [ended, 'complete']] as const) {
    await replica.put({ kind: 'task', id: of.id }, encodeTask(of));
    await replica.put({ kind: 'status', id: of.id }, encodeStatusRecord(status(of, { phase })));
  }
  await replica.put({ kind: 'node', id: N1 }, encodeNode(node('n1', { capacity: resources(1_000, 256), cpus: '0-1' })));
  return replica;
}
const update = async (replica: MemoryReplica, id: number, target: ResourceTarget, change: ResourceChange): Promise<void> => {
  await createResizeApi(replica.parts).updateResources({ requestId: requestId(id), target, change }, OPERATOR);
};
const limitsOf = (replica: MemoryReplica): Limits | undefined => replica.state.current.tasks.get(one.id)?.value.container.limits;

test('a service: the next Revision differs in this alone, and its tasks are not replaced', async t => {
  const replica = await start(t);
  await update(replica, 1, OF_WEB, { memoryBytes: 128 * MIB });
  await update(replica, 1, OF_WEB, { memoryBytes: 128 * MIB });
  const { apps, services } = replica.state.current;
  t.is(apps.get(app().id)?.value.revision, 2);
  const now = services.get(web.id)?.value;
  t.like(now, { revision: 2, templateHash: web.templateHash, spec: { container: { limits: { memoryBytes: 128 * MIB, pids: 512 }, image: web.spec.container.image } } });
  t.like(services.get(db.id)?.value, { revision: 1, spec: { container: { limits: db.spec.container.limits } } });
  t.is(replica.keys('revision').length, 2);
  const written = await replica.parts.store.get(buildKey({ kind: 'revision', app: app().id, number: 2 }), replica.parts.signal);
  t.is(written && decodeRevision(written.value).cause, 'update of the resources of web');
});

const broken = { ...db.spec, container: { ...db.spec.container, command: ['false'] } };
for (const [what, other] of [['one service and its contents', broken], ['contents alone', db.spec]] as const) test(`after a rollback of ${what} the next Revision has each service and its contents as they are in force`, async t => {
  const replica = await start(t);
  const pins = (letter: string) => ({ configs: [{ name: 'page', sha256: letter.repeat(64) }], secrets: [] });
  const mounting = { ...web, pins: pins('a'), spec: { ...web.spec, container: { ...web.spec.container, configs: [{ source: 'page', target: '/page', mode: 0o444 }] } } };
  await replica.put({ kind: 'service', id: web.id }, encodeService(mounting));
  await replica.put({ kind: 'app', id: app().id }, encodeApp(app('shop', { revision: 2 })));
  const rolledBack = { ...revisionWith(web), number: 2, services: [mounting.spec, other], pins: pins('b') };
  await replica.put({ kind: 'revision', app: app().id, number: 2 }, encodeRevision(rolledBack));
  await update(replica, 1, OF_WEB, { memoryBytes: 128 * MIB });
  const written = await replica.parts.store.get(buildKey({ kind: 'revision', app: app().id, number: 3 }), replica.parts.signal);
  const next = written && decodeRevision(written.value);
  t.deepEqual(next?.services.find(one => one.name === 'db'), db.spec);
  t.deepEqual(next?.pins, pins('a'));
});

test('what changes nothing is no Revision', async t => {
  const replica = await start(t);
  await update(replica, 1, OF_WEB, { memoryBytes: 64 * MIB, milliCpu: 0 });
  t.is(replica.state.current.apps.get(app().id)?.value.revision, 1);
});

test('one task: its record and the ledger of its node, in the room that there is', async t => {
  const replica = await start(t);
  await update(replica, 1, OF_ONE, { memoryBytes: 128 * MIB, requestMemoryBytes: 96 * MIB, cpuset: '1' });
  t.deepEqual(limitsOf(replica), { memoryBytes: 128 * MIB, pids: 512, cpuset: '1' });
  t.is(replica.state.current.ledgers.get(N1)?.value.requests.memoryBytes, 96 * MIB);
  t.is(replica.state.current.tasks.get(one.id)?.value.resourcesKey, resourcesKey(web.spec.container), 'its service has not changed');
  t.is(replica.state.current.services.get(web.id)?.value.revision, 1);
});

for (const [what, target, change, code, message] of [
  ['more than the node has', OF_ONE, { memoryBytes: 512 * MIB, requestMemoryBytes: 512 * MIB }, 'FAILED_PRECONDITION', /where it runs: n1 has no room for it; update its service/],
  ['a cpu that the node has not', OF_ONE, { cpuset: '0,7' }, 'FAILED_PRECONDITION', /n1 has no cpu 7/],
  ['too little memory', OF_WEB, { memoryBytes: 1 }, 'INVALID_ARGUMENT', /limits\.memory/],
  ['a limit below the request', OF_ONE, { memoryBytes: 16 * MIB }, 'INVALID_ARGUMENT', /at least what is requested/],
  ['a list out of order', OF_ONE, { cpuset: '1,0' }, 'INVALID_ARGUMENT', /must be in order, each cpu once: 0-1/],
  ['no service', { kind: 'service', service: serviceId('default', 'shop', 'none') }, { pids: 10 }, 'NOT_FOUND', /does not exist/],
  ['no task', { kind: 'task', task: taskId('none') }, { pids: 10 }, 'NOT_FOUND', /is not known/],
  ['a task that ended', { kind: 'task', task: ended.id }, { pids: 10 }, 'FAILED_PRECONDITION', /does not run any more/],
] as const satisfies readonly (readonly [string, ResourceTarget, ResourceChange, string, RegExp])[]) {
  test(`refused, and nothing changed: ${what}`, async t => {
    const replica = await start(t);
    const error = await t.throwsAsync(update(replica, 1, target, change));
    t.like(error, { code });
    t.regex(error.message, message);
    t.deepEqual(limitsOf(replica), web.spec.container.limits);
    t.is(replica.state.current.apps.get(app().id)?.value.revision, 1);
  });
}

test('only operators', async t => {
  const replica = await start(t);
  t.like(await t.throwsAsync(createResizeApi(replica.parts).updateResources({ requestId: requestId(1), target: OF_ONE, change: { pids: 10 } }, { role: 'node', name: 'n1', address: '10.0.0.2' })), { code: 'PERMISSION_DENIED' });
  t.deepEqual(limitsOf(replica), web.spec.container.limits);
});
