import test from 'ava';
import type { ServiceStatus } from '#model/app.ts';
import type { ApplyOutcome, RolloutAction } from '#model/ports.ts';
import type { UpdateSpec } from '#model/service.ts';
import { serviceId } from '#model/ids.ts';
import { createApply } from '../../../../controller/api/apply-api.ts';
import { createRolloutApi, nextWish } from '../../../../controller/api/rollout-api.ts';
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

test('undo to any Revision; what is so already is no change; the same request is one', async t => {
  const replica = await replicaWith(t, [shop('nginx:1', 'one'), shop('nginx:2', 'one'), shop('nginx:3', 'one', { api: { image: 'api' } })]);
  t.like(await undo(replica, 7, { toRevision: 3 }), { revision: 3, isChanged: false });
  const done = await undo(replica, 8, { toRevision: 1 });
  t.like(done, { revision: 4, services: [{ name: 'web', change: 'updated' }, { name: 'api', change: 'removed' }] });
  t.deepEqual(await undo(replica, 8, { toRevision: 1 }), done);
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
