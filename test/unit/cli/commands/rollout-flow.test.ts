import test from 'ava';
import type { ApplyOutcome } from '#model/ports.ts';
import { waitFor } from '../../../../cli/commands/cluster-flow.ts';
import { migrate, rebalance } from '../../../../cli/commands/rebalance-flow.ts';
import { changeRollouts, showHistory, showRollout, undoRollout } from '../../../../cli/commands/rollout-flow.ts';
import { ProcessExit } from '../../../../cli/exit-code.ts';
import { parseNodeId } from '#model/ids.ts';
import { service, T0 } from '../../../support/builders.ts';
import { clusterView, serviceView, taskView, WEB } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell } from '../../../support/fake-shell.ts';

const FULL = { running: 3, healthy: 3, wanted: 3 };
const withWeb = (state: Parameters<typeof serviceView>[2], reason = '') => clusterView({ services: [serviceView(WEB, FULL, state, reason)] });
const callsOf = (cluster: FakeCluster): readonly unknown[] => cluster.calls.map(([name, request]) => {
  const { requestId: _, ...rest } = request as Readonly<Record<string, unknown>>;
  return [name, rest];
});

const moves = { baseRevision: 1, unplaced: [], changes: [], nodes: [], notes: ['service/x stays: y'],
  actions: [{ kind: 'move', service: WEB.id, slot: 0, task: taskView(WEB, 0, 'n1').task.id, node: parseNodeId('n2'), fromNode: parseNodeId('n1'), reason: 'evens out the service' }] };

test('status waits until it is over; a failed one is exit code 1', async t => {
  const shell = fakeShell(new FakeCluster(withWeb('progressing'), withWeb('settled')));
  await showRollout(shell, 'shop/web', { watch: true });
  t.is(shell.terminal.text, 'shop/web: revision 1 settled, 3/3 healthy\n');
  t.is(shell.terminal.errorText, 'shop/web: revision 1 progressing, 3/3 healthy\n');
  await t.throwsAsync(showRollout(fakeShell(new FakeCluster(withWeb('failed', 'it failed'))), 'shop/web', { watch: true }), { instanceOf: ProcessExit });
});
const rolledBack = (counts = FULL): ReturnType<typeof serviceView> => {
  const view = serviceView(WEB, counts, 'rolled_back', 'revision 2 rolled back to 1: it failed');
  return { ...view, status: { ...view.status!, settledRevision: 1, rollout: { ...view.status!.rollout, revision: 2 } } };
};
const inProgress = { ...serviceView({ ...WEB, revision: 2 }, FULL, 'progressing'), service: { ...WEB, revision: 2 } };
const views = (...all: readonly ReturnType<typeof serviceView>[]) => new FakeCluster(...all.map(one => clusterView({ services: [one] })));

test('status is 0 for a rollback that was complete before, and waits until the revision in force is healthy', async t => {
  const shell = fakeShell(views(rolledBack({ ...FULL, healthy: 2 }), rolledBack()));
  await showRollout(shell, 'shop/web', { watch: true });
  t.regex(shell.terminal.text, /^shop\/web: revision 1 rolled_back, 3\/3 healthy \(revision 2 rolled back to 1: it failed\)\n$/);
  await t.notThrowsAsync(showRollout(fakeShell(views(rolledBack())), 'shop/web', { watch: false }));
  await t.throwsAsync(showRollout(fakeShell(views(rolledBack({ ...FULL, healthy: 2 }))), 'shop/web', { watch: false }), { instanceOf: ProcessExit });
});
test('status is 1 for a rollout that is rolled back meanwhile', async t => {
  await t.throwsAsync(showRollout(fakeShell(views(inProgress, rolledBack())), 'shop/web', { watch: true }), { instanceOf: ProcessExit });
});
test('wait --for healthy accepts a rollback that was complete before, not one during the wait', async t => {
  for (const target of ['shop/web', 'app/shop']) {
    const shell = fakeShell(views(rolledBack({ ...FULL, healthy: 2 }), rolledBack()));
    await waitFor(shell, target, 'healthy');
    t.regex(shell.terminal.text, /is healthy/);
    await t.throwsAsync(waitFor(fakeShell(views(inProgress, rolledBack())), target, 'healthy'), { message: /rolled back: revision 2/ });
  }
});
test('status --no-watch is as it is now', async t => {
  const shell = fakeShell(new FakeCluster(withWeb('progressing', 'slot 0: no node fits')));
  await showRollout(shell, 'app/shop', { watch: false });
  t.is(shell.terminal.text, 'shop/web: revision 1 progressing, 3/3 healthy (slot 0: no node fits)\n');
});
test('actions go to the service, or to those of an App that they make sense for', async t => {
  const cluster = new FakeCluster(withWeb('progressing'));
  await changeRollouts(fakeShell(cluster), ['shop/web'], 'pause');
  t.deepEqual(callsOf(cluster), [['changeRollout', { service: WEB.id, action: 'pause' }]]);
  await t.throwsAsync(changeRollouts(fakeShell(new FakeCluster(withWeb('settled'))), ['app/shop'], 'promote'), { message: /no service that could be promoted/ });
});
test('undo of a service and of an App', async t => {
  const cluster = new FakeCluster(withWeb('settled'));
  const outcome: ApplyOutcome = { app: 'shop', namespace: 'default', revision: 3, isChanged: true, services: [], warnings: [] };
  cluster.answers.set('undo', outcome);
  const shell = fakeShell(cluster);
  await undoRollout(shell, 'shop/web', { toRevision: '1' });
  await undoRollout(shell, 'app/shop', {});
  t.deepEqual(callsOf(cluster), [['undo', { namespace: 'default', app: 'shop', service: 'web', toRevision: 1 }], ['undo', { namespace: 'default', app: 'shop' }]]);
  t.true(shell.terminal.text.startsWith('service/shop/web goes back, as revision 3\n'));
  await t.throwsAsync(undoRollout(shell, 'shop/web', { toRevision: '0' }), { message: /--to-revision/ });
});
test('undo --dry-run shows what would change, and asks for no change', async t => {
  const cluster = new FakeCluster(withWeb('settled'));
  const plan = { ...moves, changes: [{ service: WEB.id, path: 'image', before: 'web:2', after: 'web:1' }], undoneRevision: 1 };
  cluster.answers.set('plan', plan);
  const shell = fakeShell(cluster);
  await undoRollout(shell, 'shop/web', { toRevision: '1', dryRun: true });
  t.deepEqual(callsOf(cluster), [['plan', { apps: [], withoutNodes: [], addedNodes: [], isSaved: false, undo: { namespace: 'default', app: 'shop', service: 'web', toRevision: 1 } }]]);
  t.regex(shell.terminal.text, /^service\/shop\/web would go back to revision 1\nshop\/web\n {2}~ image: web:2 -> web:1\n\nACTION [^]*1 to move/);
  const json = fakeShell(cluster, { output: 'json' });
  await undoRollout(json, 'shop/web', { dryRun: true });
  t.like(JSON.parse(json.terminal.text), { undoneRevision: 1, changes: [{ path: 'image' }] });
  cluster.answers.set('plan', moves);
  await t.throwsAsync(undoRollout(fakeShell(cluster), 'shop/web', { dryRun: true }), { code: 'FAILED_PRECONDITION', message: /older than this clusterctl/ });
});
test('history of a service tells only what changed it', async t => {
  const cluster = new FakeCluster(withWeb('settled'));
  const revision = (number: number, image: string) => ({ app: 'default/shop', number, services: [service({ container: { image } }).spec], volumes: [], pins: { configs: [], secrets: [] }, createdAtMs: T0 });
  cluster.answers.set('revisions', [revision(1, 'web:1'), revision(2, 'web:1'), revision(3, 'web:2')]);
  const shell = fakeShell(cluster, { output: 'name' });
  await showHistory(shell, 'shop/web');
  t.is(shell.terminal.text, 'revision/3\nrevision/1\n');
});
test('history of a service tells changes of its limits too, and always the one in force', async t => {
  const web = service({ revision: 4 });
  const cluster = new FakeCluster(clusterView({ services: [serviceView(web, FULL)] }));
  const revision = (number: number, pids: number) => ({
    app: 'default/shop', number, services: [service({ container: { limits: { ...web.spec.container.limits, pids } } }).spec], volumes: [], pins: { configs: [], secrets: [] }, createdAtMs: T0,
  });
  cluster.answers.set('revisions', [revision(1, 8), revision(2, 16), revision(3, 16), revision(4, 16)]);
  const shell = fakeShell(cluster, { output: 'name' });
  await showHistory(shell, 'shop/web');
  t.is(shell.terminal.text, 'revision/4\nrevision/2\nrevision/1\n');
});

test('history --revision shows all that one revision says', async t => {
  const cluster = new FakeCluster(withWeb('settled'));
  const revision = (number: number, pids: number) => ({
    app: 'default/shop', number, services: [service({ container: { image: `web:${String(number)}`, limits: { memoryBytes: 0, pids } } }).spec, service({ name: 'db' }).spec], volumes: [],
    pins: { configs: [], secrets: [] }, createdAtMs: T0, cause: 'undo to revision 1',
  });
  cluster.answers.set('revisions', [revision(1, 8), revision(2, 16)]);
  const shell = fakeShell(cluster);
  await showHistory(shell, 'shop/web', { revision: '2' });
  t.regex(shell.terminal.text, /^app: default\/shop\nrevision: 2\n.*\ncause: undo to revision 1\n[^]*service web\n[^]* image: web:2\n[^]* pids: 16\n/);
  t.notRegex(shell.terminal.text, /service db/);
  const json = fakeShell(cluster, { output: 'json' });
  await showHistory(json, 'app/shop', { revision: '1' });
  t.like(JSON.parse(json.terminal.text), { revision: 1, services: [{ name: 'web', image: 'web:1', spec: { container: { limits: { pids: 8 } } } }, { name: 'db' }] });
  await t.throwsAsync(showHistory(fakeShell(cluster), 'shop/web', { revision: '3' }), { message: 'service/shop/web has no revision 3; it has 1, 2' });
});

test('rebalance --plan says what would move, and moves nothing', async t => {
  const cluster = new FakeCluster(withWeb('settled'));
  cluster.answers.set('planMoves', moves);
  const shell = fakeShell(cluster);
  await t.throwsAsync(rebalance(shell, { plan: true, maxMoves: '5' }), { instanceOf: ProcessExit });
  t.deepEqual(callsOf(cluster), [['planMoves', { maxMoves: 5, namespace: 'default' }]]);
  t.regex(shell.terminal.text, /move +shop\/web +0 +webaaaaaaaaa +n1 -> n2 +evens out/);
});
test('rebalance and migrate return when the tasks have ended', async t => {
  const gone = clusterView({ tasks: [taskView(WEB, 0, 'n1', { phase: 'complete' })] });
  const cluster = new FakeCluster(clusterView(), gone);
  cluster.answers.set('planMoves', moves);
  await rebalance(fakeShell(cluster), { maxMoves: '10' });
  await migrate(fakeShell(cluster), 'task/webaaaaaaaaa', { to: 'n2' });
  t.deepEqual(callsOf(cluster).slice(1), Array.from({ length: 2 }, () => ['moveTasks', { moves: [{ task: 'webaaaaaaaaa', node: 'n2' }] }]));
});
