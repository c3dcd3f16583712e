import test from 'ava';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ClusterError } from '#model/errors.ts';
import { appId } from '#model/ids.ts';
import { applyManifests } from '../../../../cli/commands/apply-flow.ts';
import type { ApplyFlags } from '../../../../cli/commands/apply-flow.ts';
import { explainTarget } from '../../../../cli/commands/why-flow.ts';
import { describeTargets } from '../../../../cli/commands/describe-flow.ts';
import { showVersion } from '../../../../cli/commands/cluster-flow.ts';
import { listEvents } from '../../../../cli/commands/events-flow.ts';
import { deleteObjects } from '../../../../cli/commands/delete-flow.ts';
import { getObjects, listNodes } from '../../../../cli/commands/get-flow.ts';
import { listTasks } from '../../../../cli/commands/ps-flow.ts';
import { showLogs } from '../../../../cli/commands/logs-flow.ts';
import { runContainer } from '../../../../cli/commands/run-flow.ts';
import { restartTargets, scaleServices, stopTargets } from '../../../../cli/commands/scale-flow.ts';
import { triggerCrons } from '../../../../cli/commands/trigger-flow.ts';
import { labelNode, labelObjects, taintNode } from '../../../../cli/commands/node-flow.ts';
import { createSecret } from '../../../../cli/commands/secret-flow.ts';
import { ManifestError, ProcessExit } from '../../../../cli/exit-code.ts';
import { service } from '../../../support/builders.ts';
import { clusterView, serviceView, taskView, WEB } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell, frame, framesOf } from '../../../support/fake-shell.ts';
import type { FakeShell } from '../../../support/fake-shell.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'gantry-cli-'));
test.after.always(() => { rmSync(directory, { recursive: true }); });

let files = 0;
function manifestFile(text: string): string {
  files += 1;
  const file = path.join(directory, `${String(files)}.yaml`);
  writeFileSync(file, text);
  return file;
}
const SHOP = 'apiVersion: gantry/v1\nkind: App\nmetadata: { name: shop }\nservices:\n  web:\n    image: nginx:${TAG}\n';
const OUTCOME = { app: 'shop', namespace: 'default', revision: 2, isChanged: true, services: [{ name: 'web', change: 'updated' }], warnings: ['web: no node has room'] };

test('apply sends the App with variables expanded, and says what changed', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('apply', OUTCOME);
  const shell = fakeShell(cluster);
  await applyManifests(shell, { filename: [manifestFile(SHOP)] });
  t.like(cluster.calls[0]?.[1], { isDryRun: false, app: { name: 'shop', services: [{ container: { image: 'nginx:1.27' } }] } });
  t.is(shell.terminal.text, 'app/shop applied (revision 2): web updated\n');
  t.is(shell.terminal.errorText, 'warning: web: no node has room\n');
});

test('what the controller refuses is shown with the line it stands at', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('apply', new ClusterError('INVALID_ARGUMENT', 'refused', { violations: [{ path: 'services.web.image', message: 'not found' }] }));
  const file = manifestFile(SHOP);
  const error = await t.throwsAsync(applyManifests(fakeShell(cluster), { filename: [file] }), { instanceOf: ManifestError });
  t.deepEqual(error.problems, [{ file, line: 6, column: 5, path: 'services.web.image', message: 'not found' }]);
});

test('a bad manifest reaches no controller', async t => {
  const cluster = new FakeCluster(clusterView());
  await t.throwsAsync(applyManifests(fakeShell(cluster), { filename: [manifestFile(`${SHOP}    replicas: -1\n`)] }), { instanceOf: ManifestError });
  await t.throwsAsync(applyManifests(fakeShell(cluster, { namespace: 'prod' }), { filename: [manifestFile(SHOP.replace('shop }', 'shop, namespace: test }'))] }), { instanceOf: ManifestError });
  t.deepEqual(cluster.calls, []);
});

test('apply --wait ends when the App is healthy, and fails when it was rolled back', async t => {
  const app = { ...clusterView().apps[0], revision: 2 } as ReturnType<typeof clusterView>['apps'][number];
  const view = (...args: Parameters<typeof serviceView> extends [infer _, ...infer Rest] ? Rest : never) => clusterView({ apps: [app], services: [serviceView(WEB, ...args)] });
  const counts = { running: 3, healthy: 3, wanted: 3 };
  const cluster = new FakeCluster(clusterView(), view({ ...counts, healthy: 1 }, 'progressing'), view(counts, 'settled'));
  cluster.answers.set('apply', OUTCOME);
  const shell = fakeShell(cluster);
  await applyManifests(shell, { filename: [manifestFile(SHOP)], wait: true });
  t.regex(shell.terminal.errorText, /shop\/web: 1\/3 healthy.*\nshop\/web: 3\/3 healthy/s);
  t.deepEqual(cluster.calls.map(([name]) => name), ['apply', 'awaitRouted']);
  t.like(cluster.calls[1]?.[1], { etcdRevision: cluster.views[2]?.etcdRevision });
  cluster.views = [view(counts, 'rolled_back', 'web-0 exits 1')];
  t.like(await t.throwsAsync(applyManifests(fakeShell(cluster), { filename: [manifestFile(SHOP)], wait: true })),
    { code: 'FAILED_PRECONDITION', message: 'shop/web: rolled back: web-0 exits 1' });
});

test('apply --prune deletes what no manifest names, a dry run lists it, and without -y nothing is applied', async t => {
  const apps = [...clusterView().apps, { ...clusterView().apps[0]!, id: appId('default', 'old'), name: 'old' }];
  const applied = async (flags: Partial<ApplyFlags>, options: Parameters<typeof fakeShell>[1] = {}): Promise<{ readonly calls: readonly string[]; readonly text: string; readonly error: string }> => {
    const cluster = new FakeCluster(clusterView({ apps }));
    cluster.answers.set('apply', OUTCOME);
    const shell = fakeShell(cluster, options);
    const error = await applyManifests(shell, { filename: [manifestFile(SHOP)], prune: true, ...flags }).then(() => '', (reason: unknown) => String(reason));
    return { calls: cluster.calls.map(([name]) => name), text: shell.terminal.text, error };
  };
  const dry = await applied({ dryRun: true });
  t.deepEqual(dry.calls, ['apply']);
  t.regex(dry.text, /app\/old would be deleted\n$/);
  const refused = await applied({});
  t.deepEqual(refused.calls, []);
  t.regex(refused.error, /--prune would delete app\/old; say so with -y/);
  const done = await applied({}, { yes: true });
  t.deepEqual(done.calls, ['apply', 'deleteApp']);
  t.regex(done.text, /app\/old deleted\n$/);
  t.like(JSON.parse((await applied({ dryRun: true }, { output: 'json' })).text), { pruned: [{ namespace: 'default', app: 'old' }] });
});

test('get prints one object alone and lists as items', async t => {
  const cluster = new FakeCluster(clusterView());
  const list = fakeShell(cluster, { output: 'json' });
  await getObjects(list, 'svc', [], {});
  t.deepEqual((JSON.parse(list.terminal.text) as { items: { name: string }[] }).items.map(({ name }) => name), ['db', 'web']);
  const single = fakeShell(cluster, { output: 'json' });
  await getObjects(single, 'svc', ['shop/web'], {});
  t.like(JSON.parse(single.terminal.text), { name: 'web', replicas: 3, running: 2 });
  const names = fakeShell(cluster, { output: 'name' });
  await getObjects(names, 'node/n1', [], {});
  t.is(names.terminal.text, 'node/n1\n');
});

test('get of several types shows one table below the other, and says the types in JSON', async t => {
  const cluster = new FakeCluster(clusterView());
  const tables = fakeShell(cluster);
  await getObjects(tables, 'svc,nodes', [], {});
  t.regex(tables.terminal.text, /^NAMESPACE +NAME .*\n(?:default .*\n)+\nNAME +STATE .*\nn1 .*\nn2 .*\n$/);
  const json = fakeShell(cluster, { output: 'json' });
  await getObjects(json, 'svc/shop/web', ['node/n2'], {});
  const { items } = JSON.parse(json.terminal.text) as { readonly items: readonly { readonly type: string; readonly name: string }[] };
  t.deepEqual(items.map(({ type, name }) => [type, name]), [['service', 'web'], ['node', 'n2']]);
  await t.throwsAsync(getObjects(fakeShell(cluster), 'svc,events', [], {}), { message: /events are listed alone/ });
});

test('get of nodes beside services keeps to the namespace', async t => {
  const other = { ...service({ name: 'web' }), namespace: 'prod' };
  const cluster = new FakeCluster(clusterView({ services: [serviceView(WEB, { running: 1, healthy: 1, wanted: 1 }), serviceView(other, { running: 1, healthy: 1, wanted: 1 })] }));
  const shell = fakeShell(cluster, { output: 'name' });
  await getObjects(shell, 'svc,nodes', [], {});
  t.is(shell.terminal.text, 'service/shop/web\nnode/n1\nnode/n2\n');
});

test('ps --format prints a line of the template a task, and the fields there are for one that is none', async t => {
  const cluster = new FakeCluster(clusterView());
  const shell = fakeShell(cluster);
  await listTasks(shell, ['shop/web'], { format: '{{.ID}}\\t{{.Names}}' });
  t.is(shell.terminal.text, 'webaaaaaaaaa\tweb-0-webaa\nwebbaaaaaaaa\tweb-1-webba\n');
  await t.throwsAsync(listTasks(fakeShell(cluster), [], { format: '{{.Nmae}}' }), { message: /no field 'Nmae'.*there are ID, Names, Image/ });
  t.is(cluster.opened.length, 0);
});

test('ps --format with a size asks the nodes for it', async t => {
  const cluster = new FakeCluster(clusterView({ tasks: [taskView(WEB, 0, 'n1')], pending: [] }));
  const { id, node } = taskView(WEB, 0, 'n1').task;
  cluster.tunnelScript = () => framesOf([{ kind: 'usage', sample: { node, task: id, atMs: 0, cpuMicroseconds: 1, memoryBytes: 1, memoryLimitBytes: 1, processes: 1, networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0, writableBytes: 2_000 } }]);
  const shell = fakeShell(cluster);
  await listTasks(shell, [], { format: 'table {{.Names}}\\t{{.Size}}' });
  t.is(shell.terminal.text, 'NAMES         SIZE\nweb-0-webaa   2kB\n');
});

test('ps --filter name= takes a part of the name', async t => {
  const shell = fakeShell(new FakeCluster(clusterView()), { quiet: true });
  await listTasks(shell, [], { filter: ['name=eb-1'] });
  t.is(shell.terminal.text, 'webbaaaaaaaa\n');
});

test('node ls --format', async t => {
  const shell = fakeShell(new FakeCluster(clusterView()));
  await listNodes(shell, { format: '{{.ID}} {{.Status}} {{.Tasks}}' });
  t.is(shell.terminal.text, 'n1 ready 2\nn2 cordoned 1\n');
});

test('ps leaves out what has ended, unless -a', async t => {
  const cluster = new FakeCluster(clusterView({ tasks: [taskView(WEB, 0, 'n1'), taskView(WEB, 1, 'n1', { phase: 'failed' })], pending: [] }));
  const running = fakeShell(cluster, { quiet: true });
  await listTasks(running, [], {});
  t.is(running.terminal.text, 'webaaaaaaaaa\n');
  const all = fakeShell(cluster, { quiet: true });
  await listTasks(all, [], { all: true });
  t.is(all.terminal.text, 'webaaaaaaaaa\nwebbaaaaaaaa\n');
});

test('scale, stop and restart', async t => {
  const cluster = new FakeCluster(clusterView());
  await scaleServices(fakeShell(cluster), ['shop/web=5', 'db=0'], {});
  await stopTargets(fakeShell(cluster), ['shop/web', 'task/webaaaaaaaaa']);
  await restartTargets(fakeShell(cluster), ['shop/web']);
  t.deepEqual(cluster.calls.map(([name, request]) => [name, ...(Object.values(request as object) as readonly unknown[]).slice(1)] as unknown), [
    ['scale', 'default/shop/web', 5], ['scale', 'default/shop/db', 0], ['scale', 'default/shop/web', 0], ['stopTask', 'webaaaaaaaaa'], ['restart', 'default/shop/web'],
  ]);
});

test('trigger runs a cron now and says as what; --wait tells how it ended', async t => {
  const cron = service({ name: 'report', kind: 'cron', cron: { schedule: '@daily', timezone: 'UTC', concurrency: 'allow', keptSucceeded: 3, keptFailed: 1, isSuspended: false } });
  const run = service({ name: 'report-run-1', kind: 'job' });
  const counts = { running: 0, healthy: 0, wanted: 1 };
  const look = clusterView({ services: [serviceView(WEB, counts), serviceView(cron, { ...counts, wanted: 0 })] });
  const ends = (state: 'settled' | 'failed') => new FakeCluster(look, look, clusterView({ services: [serviceView(run, counts, state, 'used up')] }));
  const good = ends('settled');
  good.answers.set('runCron', { service: run.id });
  const shell = fakeShell(good);
  await triggerCrons(shell, ['shop/report'], { wait: true });
  t.regex(shell.terminal.text + shell.terminal.errorText, /job\/shop\/report-run-1 started[^]*complete/);
  const bad = ends('failed');
  bad.answers.set('runCron', { service: run.id });
  t.like(await t.throwsAsync(triggerCrons(fakeShell(bad), ['report'], { wait: true })), { code: 'FAILED_PRECONDITION', message: 'job/shop/report-run-1 failed: used up' });
  t.like(await t.throwsAsync(triggerCrons(fakeShell(ends('settled')), ['shop/web'], {})), { code: 'FAILED_PRECONDITION' });
});

test('scale --wait ends when what is beyond the wish has ended', async t => {
  const surplus = taskView(WEB, 1, 'n1');
  const during = (phase: 'running' | 'complete') => clusterView({
    services: [serviceView(WEB, { running: 1, healthy: 1, wanted: 1 })],
    tasks: [taskView(WEB, 0, 'n1'), { ...surplus, task: { ...surplus.task, desired: 'stop' }, status: { ...surplus.status, phase } as NonNullable<typeof surplus.status>, state: phase }],
  });
  const cluster = new FakeCluster(clusterView(), during('running'), during('complete'));
  const shell = fakeShell(cluster);
  await scaleServices(shell, ['shop/web=1'], { wait: true });
  t.regex(shell.terminal.errorText, /1\/1 healthy, 1 stopping\nshop\/web: 1\/1 healthy\n/);
  t.deepEqual(cluster.calls.map(([name]) => name), ['scale', 'awaitRouted']);
});

test('scale to what is no count is refused before anything is sent', async t => {
  const cluster = new FakeCluster(clusterView());
  for (const pair of ['shop/web=-1', 'shop/web=abc', 'shop/web=99999999999', 'shop/web=']) {
    t.regex((await t.throwsAsync(scaleServices(fakeShell(cluster), [pair], {}))).message, /replicas must be 0\.\.10000/);
  }
  t.deepEqual(cluster.calls, []);
});

test('delete waits until nothing is left', async t => {
  const cluster = new FakeCluster(clusterView(), clusterView({ apps: [] }), clusterView({ apps: [], services: [], tasks: [] }));
  const shell = fakeShell(cluster);
  await deleteObjects(shell, ['app/shop'], {});
  t.deepEqual(cluster.calls[0]?.[0], 'deleteApp');
  t.is(shell.terminal.text, 'app/shop deleted\n');
});

test('logs on a terminal show control characters, unless --raw; elsewhere they pass', async t => {
  const texts = await Promise.all(([[true, {}], [true, { raw: true }], [false, {}]] as const).map(async ([isTerminal, flags]) => {
    const cluster = new FakeCluster(clusterView());
    cluster.tunnelScript = () => framesOf([frame('\x1b[2Jred'), { kind: 'exit', code: 0 }]);
    const shell = fakeShell(cluster);
    shell.terminal.isOutputTerminal = isTerminal;
    await showLogs(shell, ['task/webaaaaaaaaa'], flags);
    return shell.terminal.text;
  }));
  t.deepEqual(texts, ['^[[2Jred', '\x1b[2Jred', '\x1b[2Jred']);
});

test('delete --wait is the default, also with a target behind it; --wait=false returns at once', async t => {
  for (const [names, flags] of [[['app/shop'], { wait: true }], [[], { wait: 'app/shop' }], [['app/shop'], { wait: 'true' }]] as const) {
    const cluster = new FakeCluster(clusterView(), clusterView({ apps: [], services: [], tasks: [] }));
    const shell = fakeShell(cluster);
    await deleteObjects(shell, names, flags);
    t.is(shell.terminal.text, 'app/shop deleted\n');
  }
  // The view never loses the App: waiting would not end.
  const cluster = new FakeCluster(clusterView());
  await deleteObjects(fakeShell(cluster), ['app/shop'], { wait: 'false' });
  t.is(cluster.calls[0]?.[0], 'deleteApp');
});

test('logs of several tasks carry their names, of one they do not', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.tunnelScript = (_, request) => framesOf([frame(`hello from ${'task' in request ? request.task : ''}`), frame('\nno end'), { kind: 'exit', code: 0 }]);
  const several = fakeShell(cluster);
  await showLogs(several, ['shop/web'], { tail: '5' });
  t.is(several.terminal.text, 'web-0-webaa | hello from webaaaaaaaaa\nweb-0-webaa | no end\nweb-1-webba | hello from webbaaaaaaaa\nweb-1-webba | no end\n');
  t.like(cluster.opened[0]?.request, { spec: { kind: 'logs', tail: 5, follow: false } });
  const single = fakeShell(cluster);
  await showLogs(single, ['task/webaaaaaaaaa'], {});
  t.is(single.terminal.text, 'hello from webaaaaaaaaa\nno end');
});

test('run applies a job, ends with its code and deletes it with --rm', async t => {
  const cluster = new FakeCluster(clusterView({ tasks: [taskView(WEB, 0, 'n1')] }));
  cluster.tunnelScript = () => framesOf([frame('hi'), { kind: 'exit', code: 137 }]);
  const end = await t.throwsAsync(runContainer(fakeShell(cluster), 'alpine', ['true'], { rm: true, name: 'one' }), { instanceOf: ProcessExit });
  t.is(end.exitCode, 137);
  t.deepEqual(cluster.calls.map(([name]) => name), ['apply', 'deleteApp']);
  t.like(cluster.calls[0]?.[1], { expireAfterEndMs: 3_600_000, app: { name: 'one', services: [{ kind: 'job', job: { retries: 0 } }] } });
});

test('taints are changed, not replaced', async t => {
  const cluster = new FakeCluster(clusterView());
  await taintNode(fakeShell(cluster), 'n2', ['gpu', 'spot-']);
  t.like(cluster.calls[0]?.[1], { node: 'n2', taints: ['gpu'] });
});

test('describe takes a type and names apart, and several targets', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('events', []);
  const apart = fakeShell(cluster);
  await describeTargets(apart, ['node', 'n1', 'n2']);
  const together = fakeShell(cluster);
  await describeTargets(together, ['node/n1', 'node/n2']);
  t.regex(apart.terminal.text, /^node\/n1\n[^]*\n\nnode\/n2\n/);
  t.is(apart.terminal.text, together.terminal.text);
});

test('events of an App are also those of its services and tasks; with -f also of tasks that come later', async t => {
  const event = (object: string) => ({ type: 'normal', object, reason: 'Started', message: '', firstAtMs: 0, lastAtMs: 0, count: 1 }) as const;
  const all = ['app/default/shop', 'service/default/shop/web', 'task/webaaaaaaaaa', 'node/n1', 'app/default/other'].map(event);
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('events', all);
  const shell = fakeShell(cluster, { output: 'name' });
  await listEvents(shell, { target: 'app/shop' });
  t.is(shell.terminal.text, 'app/default/shop\nservice/default/shop/web\ntask/webaaaaaaaaa\n');
  t.deepEqual(cluster.calls.at(-1), ['events', {}]);
  await listEvents(fakeShell(cluster), { target: 'node/n1' });
  t.deepEqual(cluster.calls.at(-1), ['events', { object: 'node/n1' }]);

  const later = new FakeCluster(clusterView({ tasks: [taskView(WEB, 0, 'n1')] }));
  const { client } = later;
  const follow: FakeShell = { ...fakeShell(later, { output: 'name' }), connect: () => Promise.resolve(new Proxy(client, { get: (target, name) => (name === 'watchEvents' ? async function* () {
    yield event('task/webaaaaaaaaa');
    later.views = [clusterView()];
    yield* await Promise.resolve([event('task/webbaaaaaaaa'), event('task/unknown'), event('node/n1')]);
  } : Reflect.get(target, name) as unknown) })) };
  await listEvents(follow, { target: 'app/shop', follow: true });
  t.is(follow.terminal.text, 'task/webaaaaaaaaa\ntask/webbaaaaaaaa\n');
});

test('logs of a cron are those of its newest run; with --all of each that is kept', async t => {
  const cron = service({ name: 'hourly', kind: 'cron' });
  const runs = [1, 2].map(at => ({ ...service({ name: `run${'xyz'.charAt(at)}`, kind: 'job' }), cronRun: { cron: 'hourly', scheduledAtMs: at, isManual: false } }));
  const counts = { running: 0, healthy: 0, wanted: 1 };
  const tasks = runs.map((run, index) => taskView(run, index, 'n1', { phase: 'complete' }));
  const cluster = new FakeCluster(clusterView({ services: [serviceView(cron, counts), ...runs.map(run => serviceView(run, counts))], tasks }));
  cluster.tunnelScript = () => framesOf([{ kind: 'exit', code: 0 } as const]);
  await showLogs(fakeShell(cluster), ['shop/hourly'], {});
  const asked = (): readonly unknown[] => cluster.opened.map(({ request }) => (request as { readonly task?: string }).task);
  t.deepEqual(asked(), [tasks[1]?.task.id]);
  await showLogs(fakeShell(cluster), ['shop/hourly'], { all: true });
  t.is(asked().length, 3);
});

test('version tells of the cluster too, unless it is not to be asked', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('clusterStatus', { leader: 'c1', epoch: 3, controllers: [{ id: 'c1' }, { id: 'c2' }], version: '0.1.0', clusterId: 'x' });
  const shell = fakeShell(cluster);
  await showVersion(shell, '0.2.0', {});
  t.is(shell.terminal.text, 'clusterctl (Gantry) 0.2.0\ncluster 0.1.0, led by c1, beside c2\n');
  const alone = fakeShell(cluster);
  await showVersion(alone, '0.2.0', { client: true });
  t.is(alone.terminal.text, 'clusterctl (Gantry) 0.2.0\n');
});

test('why of an App that has one service is that of the service', async t => {
  const cluster = new FakeCluster(clusterView({ services: [serviceView(WEB, { running: 1, healthy: 1, wanted: 1 })] }));
  cluster.answers.set('why', { subject: 'service/default/shop/web', state: 'settled', reasons: [] });
  await explainTarget(fakeShell(cluster), 'shop', {});
  t.deepEqual(cluster.calls.at(-1), ['why', { target: { kind: 'service', service: WEB.id } }]);
  await t.throwsAsync(explainTarget(fakeShell(new FakeCluster(clusterView())), 'shop', {}), { message: 'app/shop has 2 services; name one: shop/db, shop/web' });
});

test('followed events stand under one head, with their times', async t => {
  const event = (object: string, lastAtMs: number) => ({ type: 'normal', object, reason: 'Started', message: 'runs', firstAtMs: 0, lastAtMs, count: 1 }) as const;
  const { client } = new FakeCluster(clusterView());
  const shell: FakeShell = { ...fakeShell(new FakeCluster(clusterView())), connect: () => Promise.resolve(new Proxy(client, { get: (target, name) => (name === 'watchEvents' ? () => framesOf([event('node/n10', 0), event('node/n1', 1_000)]) : Reflect.get(target, name) as unknown) })) };
  await listEvents(shell, { follow: true });
  t.is(shell.terminal.text, [
    'TIME                       TYPE     OBJECT     REASON    COUNT   MESSAGE',
    '1970-01-01T00:00:00.000Z   normal   node/n10   Started   1       runs',
    '1970-01-01T00:00:01.000Z   normal   node/n1    Started   1       runs', '',
  ].join('\n'));
});

test('a task is deleted once it has ended: its record stays', async t => {
  const cluster = new FakeCluster(clusterView(), clusterView({ tasks: [taskView(WEB, 0, 'n1', { phase: 'complete', reason: 'stopped' })] }));
  const shell = fakeShell(cluster);
  await deleteObjects(shell, ['task/webaaaaaaaaa'], {});
  t.deepEqual(cluster.calls.map(([name]) => name), ['stopTask']);
  t.is(shell.terminal.text, 'task/webaaaaaaaaa deleted\n');
});

test('describe of an App shows its services, its tasks and what waits', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('events', []);
  const shell = fakeShell(cluster);
  await describeTargets(shell, ['app/shop']);
  t.regex(shell.terminal.text, /^app\/shop\n[^]*\nupdated: .* ago\n\nServices\nNAMESPACE [^]*shop\/db [^]*shop\/web [^]*\n\nTasks\nTASK [^]*pending [^]*no node has room\n$/);
});

test('get jobs and get crons list no other services', async t => {
  const [job, cron] = [service({ name: 'once', kind: 'job' }), service({ name: 'hourly', kind: 'cron' })];
  const none = { running: 0, healthy: 0, wanted: 1 };
  const cluster = new FakeCluster(clusterView({ services: [serviceView(WEB, none), serviceView(job, none), serviceView(cron, none)] }));
  const names = async (word: string): Promise<string> => {
    const shell = fakeShell(cluster, { output: 'name' });
    await getObjects(shell, word, [], {});
    return shell.terminal.text;
  };
  t.is(await names('jobs'), 'service/shop/once\n');
  t.is(await names('crons'), 'service/shop/hourly\n');
  t.is(await names('svc'), 'service/shop/web\nservice/shop/once\nservice/shop/hourly\n');
  const shell = fakeShell(cluster);
  await getObjects(shell, 'jobs', [], {});
  t.regex(shell.terminal.text, / complete /);
});

test('label sets and removes on each node, and changes no value unless told to', async t => {
  const cluster = new FakeCluster(clusterView());
  await labelObjects(fakeShell(cluster), ['nodes', 'n1', 'n2', 'disk=ssd', 'rack-'], {});
  t.deepEqual(cluster.calls.map(([name, request]) => [name, (request as { node: string }).node]), [['setLabels', 'n1'], ['setLabels', 'n2']]);
  t.like(cluster.calls[0]?.[1], { set: new Map([['disk', 'ssd']]), remove: ['rack'] });
  t.like(await t.throwsAsync(labelObjects(fakeShell(cluster), ['node/n2', 'node/n1', 'zone=b'], {})), { code: 'ALREADY_EXISTS', message: 'node/n1 has zone=a; give --overwrite to change it' });
  await t.throwsAsync(labelObjects(fakeShell(cluster), ['svc/shop/web', 'a=1'], {}), { message: /only nodes are labelled here/ });
  t.is(cluster.calls.length, 2);
  await labelObjects(fakeShell(cluster), ['node/n1', 'zone=b'], { overwrite: true });
  await labelNode(fakeShell(cluster), 'n1', ['zone=c']);
  t.is(cluster.calls.length, 4);
});

test('a secret\'s value is read from stdin and never shown', async t => {
  const cluster = new FakeCluster();
  cluster.answers.set('putSecret', { version: 1 });
  const shell = fakeShell(cluster, {}, 'hunter2');
  await createSecret(shell, 'db-password', { fromStdin: true });
  t.deepEqual((cluster.calls[0]?.[1] as { content: Buffer }).content.toString(), 'hunter2');
  t.notRegex(shell.terminal.text + shell.terminal.errorText, /hunter2/);
});
