import test from 'ava';
import { systemClock } from '#kit/clock.ts';
import type { ClusterPlan } from '#model/cluster-plan.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import type { Service, ServiceStatus } from '#model/app.ts';
import type { ApplyOutcome, RolloutAction } from '#model/ports.ts';
import type { UpdateSpec } from '#model/service.ts';
import { serviceId } from '#model/ids.ts';
import { createApply } from '../../../../controller/api/apply-api.ts';
import { createPlanApi } from '../../../../controller/api/plan-api.ts';
import { createRolloutApi, nextWish } from '../../../../controller/api/rollout-api.ts';
import { createServiceApi } from '../../../../controller/api/service-api.ts';
import { RevisionCache } from '../../../../controller/reconcile/revision-store.ts';
import { encodeServiceStatus } from '../../../../controller/store/records.ts';
import { T0, service, serviceStatus } from '../../../support/builders.ts';
import { appOf } from '../../../support/manifest.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../../support/memory-replica.ts';

type State = ServiceStatus['rollout']['state'];
const of = (update: Partial<UpdateSpec> = {}) => service({ revision: 2, update });
const at = (state: State, step?: number): ServiceStatus => serviceStatus(service(), { rollout: { state, reason: '', revision: 2, startedAtMs: T0, ...(step === undefined ? {} : { step }) } });
const CANARY: Partial<UpdateSpec> = { strategy: 'canary', stepPercents: [10, 50] };

const wishes = test.macro({
  exec(t, action: RolloutAction, update: Partial<UpdateSpec>, status: ServiceStatus, expected: object | RegExp) {
    const wish = (): object => nextWish(of(update), status, action);
    if (expected instanceof RegExp) {
      t.regex(t.throws(wish).message, expected);
    } else {
      t.like(wish(), expected);
    }
  },
  title: (name = '') => name,
});
test('any service', wishes, 'pause', {}, at('settled'), { isPaused: true });
test('what is not paused', wishes, 'resume', {}, at('progressing'), /is not paused/);
test('the step that waits', wishes, 'promote', CANARY, at('awaiting_promotion', 1), { promotedSteps: 2 });
test('the first step', wishes, 'promote', CANARY, at('awaiting_promotion'), { promotedSteps: 1 });
test('nothing waits', wishes, 'promote', CANARY, at('progressing'), /waits for no promotion: its rollout is progressing/);
test('all steps', wishes, 'promote-all', CANARY, at('progressing'), { promotedSteps: 2 });
test('green', wishes, 'promote-all', { strategy: 'blue_green' }, at('awaiting_promotion'), { promotedSteps: 1 });
test('a rolling update', wishes, 'promote-all', {}, at('progressing'), /nothing to promote/);
test('what is under way', wishes, 'abort', {}, at('progressing'), { isAborted: true });
test('what has settled', wishes, 'abort', {}, serviceStatus(of()), /nothing to go back from: its rollout is settled/);
test('the first Revision', wishes, 'abort', {}, { ...at('progressing'), settledRevision: 0 }, /nothing to go back from/);
test('a job has no rollout', t => {
  for (const action of ['pause', 'abort'] as const) {
    t.regex(t.throws(() => nextWish(service({ kind: 'job', revision: 2 }), at('progressing'), action)).message, /of kind job, which has no rollout/);
  }
});

const shop = (image: string, page: string, more: object = {}) => appOf({
  apiVersion: 'gantry/v1', kind: 'App', metadata: { name: 'shop' },
  services: { web: { image, configs: [{ source: 'page', target: '/page' }] }, ...more }, configs: { page: { content: page } },
});
const WEB = serviceId('default', 'shop', 'web');

async function replicaWith(t: Parameters<typeof MemoryReplica.start>[0], specs: readonly ReturnType<typeof shop>[]): Promise<MemoryReplica> {
  const replica = await MemoryReplica.start(t);
  for (const [index, app] of specs.entries()) {
    await createApply(replica.parts)({ requestId: requestId(index + 1), app, isDryRun: false }, OPERATOR);
  }
  return replica;
}
const undo = async (replica: MemoryReplica, id: number, more: { readonly toRevision?: number; readonly service?: string } = {}): Promise<ApplyOutcome> =>
  await createRolloutApi(replica.parts).undo({ requestId: requestId(id), namespace: 'default', app: 'shop', ...more }, OPERATOR);
const imageOf = (replica: MemoryReplica): string | undefined => replica.state.current.services.get(WEB)?.value.spec.container.image;
const pageOf = (replica: MemoryReplica): string | undefined => replica.state.current.services.get(WEB)?.value.pins.configs[0]?.sha256;

test('undo makes the next Revision of an earlier one, image and config together; twice, it is back', async t => {
  const replica = await replicaWith(t, [shop('nginx:1', 'one'), shop('nginx:2', 'two')]);
  const two = pageOf(replica);
  t.like(await undo(replica, 8), { revision: 3, isChanged: true, services: [{ name: 'web', change: 'updated' }] });
  t.is(imageOf(replica), 'docker.io/library/nginx:1');
  t.not(pageOf(replica), two);
  await undo(replica, 9);
  t.is(imageOf(replica), 'docker.io/library/nginx:2');
  t.is(pageOf(replica), two);
});

/** As the leader writes it. */
const settle = async (replica: MemoryReplica, settledRevision: number, more: Partial<ServiceStatus> = {}): Promise<void> => {
  const rollout = { state: 'settled', reason: '', revision: settledRevision, startedAtMs: T0 } as const;
  await replica.put({ kind: 'service-status', id: WEB }, encodeServiceStatus({ id: WEB, settledRevision, rollout, pending: [], crashLoops: [], ...more }));
};
const scaleTo = async (replica: MemoryReplica, id: number, replicas: number): Promise<void> => {
  await createServiceApi(replica.parts).scale({ requestId: requestId(id), service: WEB, replicas }, OPERATOR);
};
const webOf = (replica: MemoryReplica): Service | undefined => replica.state.current.services.get(WEB)?.value;

test('an apply remembers what scale set; an undo of what has not settled brings it back, whatever the apply said', async t => {
  const replica = await replicaWith(t, [shop('nginx:1', 'one')]);
  await settle(replica, 1);
  await scaleTo(replica, 20, 5);
  await createApply(replica.parts)({ requestId: requestId(21), app: shop('nginx:2', 'one'), isDryRun: false }, OPERATOR);
  t.like(webOf(replica), { revision: 2, scale: { replicas: 5, revision: 1 }, spec: { replicas: 1 } });
  await undo(replica, 22);
  t.like(webOf(replica), { revision: 3, spec: { replicas: 5, container: { image: 'docker.io/library/nginx:1' } } });
});
test('an undo of what has settled keeps the replicas in force: its own, or what autoscaling made of them', async t => {
  const autoscale = { min: 1, max: 9, cpu: '50%' };
  const scaling = appOf({ apiVersion: 'gantry/v1', kind: 'App', metadata: { name: 'shop' }, services: { web: { image: 'nginx:2', autoscale } } });
  const replica = await replicaWith(t, [shop('nginx:1', 'one'), scaling]);
  await settle(replica, 2, { autoscale: { replicas: 6, changedAtMs: T0, reason: 'cpu', wishes: [] } });
  await undo(replica, 22);
  t.like(webOf(replica), { revision: 3, spec: { replicas: 6 }, scale: { replicas: 6, revision: 2 } });
});

test('undo to any Revision; what is so already is no change; the same request is one', async t => {
  const replica = await replicaWith(t, [shop('nginx:1', 'one'), shop('nginx:2', 'one'), shop('nginx:3', 'one', { api: { image: 'api' } })]);
  t.like(await undo(replica, 7, { toRevision: 3 }), { revision: 3, isChanged: false });
  const done = await undo(replica, 8, { toRevision: 1 });
  t.like(done, { revision: 4, services: [{ name: 'web', change: 'updated' }, { name: 'api', change: 'removed' }] });
  t.deepEqual(await undo(replica, 8, { toRevision: 1 }), done);
});

test('a plan of an undo says the Revision, the fields and the tasks, and writes nothing', async t => {
  const replica = await replicaWith(t, [shop('nginx:1', 'one'), shop('nginx:2', 'two')]);
  const before = replica.keys('');
  const { plan } = createPlanApi({ ...replica.parts, clock: { ...systemClock, nowMs: () => T0 }, clusterId: 'c', times: DEFAULT_TIMES, revisions: new RevisionCache(replica.store), randomBytes: () => new Uint8Array(16) });
  const ask = async (undone: object, more: object = {}): Promise<ClusterPlan> => await plan({ apps: [], withoutNodes: [], addedNodes: [], isSaved: false, undo: { namespace: 'default', app: 'shop', ...undone }, ...more }, OPERATOR);
  const planned = await ask({ service: 'web' });
  t.is(planned.undoneRevision, 1);
  t.deepEqual(planned.changes.filter(({ path }) => path === 'image').map(({ before: from, after }) => [from, after]), [['docker.io/library/nginx:2', 'docker.io/library/nginx:1']]);
  t.like(await ask({ toRevision: 2 }), { undoneRevision: 2, changes: [] });
  t.is((await plan({ apps: [], withoutNodes: [], addedNodes: [], isSaved: false }, OPERATOR)).undoneRevision, undefined);
  t.like(await t.throwsAsync(ask({ toRevision: 9 })), { code: 'NOT_FOUND' });
  t.like(await t.throwsAsync(ask({}, { isSaved: true })), { code: 'INVALID_ARGUMENT' });
  t.deepEqual(replica.keys(''), before);
  t.is(imageOf(replica), 'docker.io/library/nginx:2');
});

test('undo of one service leaves the others', async t => {
  const replica = await replicaWith(t, [shop('nginx:1', 'one', { api: { image: 'api:1' } }), shop('nginx:2', 'two', { api: { image: 'api:2' } })]);
  const done = await undo(replica, 8, { service: 'web' });
  t.deepEqual(done.services.map(one => [one.name, one.change]), [['api', 'unchanged'], ['web', 'updated']]);
  t.is(imageOf(replica), 'docker.io/library/nginx:1');
});

test('undo says what there is, and what is gone', async t => {
  const replica = await replicaWith(t, [shop('nginx:1', 'one'), shop('nginx:2', 'two')]);
  t.like(await t.throwsAsync(undo(replica, 7, { toRevision: 9 })), { code: 'NOT_FOUND', message: 'App default/shop has no revision 9; it has 1, 2' });
  t.like(await t.throwsAsync(undo(replica, 6, { service: 'no' })), { code: 'NOT_FOUND' });
  const only = await replicaWith(t, [shop('nginx:1', 'one')]);
  t.like(await t.throwsAsync(undo(only, 8)), { code: 'FAILED_PRECONDITION', message: 'no revision of App default/shop differs from what is wanted now' });
});
