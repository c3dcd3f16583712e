import test from 'ava';
import { listEvents } from '../../../../cli/commands/events-flow.ts';
import { getObjects } from '../../../../cli/commands/get-flow.ts';
import { listTasks } from '../../../../cli/commands/ps-flow.ts';
import { parseDigest } from '#model/digest.ts';
import { service } from '../../../support/builders.ts';
import { clusterView, serviceView, taskView, WEB } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell, framesOf } from '../../../support/fake-shell.ts';
import type { TunnelFrame } from '#model/tunnel.ts';

const event = (object: string) => ({ type: 'normal', object, reason: 'Started', message: '', firstAtMs: 0, lastAtMs: 0, count: 1 }) as const;

test('events of a namespace are those of its Apps, services and tasks; of all they are those of nodes too', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('events', ['app/default/shop', 'app/prod/shop', 'task/webaaaaaaaaa', 'task/unknown', 'node/n1'].map(event));
  const listed = async (flags: Parameters<typeof fakeShell>[1]): Promise<readonly string[]> => {
    const shell = fakeShell(cluster, { output: 'name', ...flags });
    await listEvents(shell, {});
    return shell.terminal.text.trim().split('\n');
  };
  t.deepEqual(await listed({ namespace: 'default' }), ['app/default/shop', 'task/webaaaaaaaaa']);
  t.deepEqual(await listed({ namespace: 'prod' }), ['app/prod/shop']);
  t.is((await listed({})).length, 5);
  t.is((await listed({ namespace: 'prod', allNamespaces: true })).length, 5);
});

test('a name that is not found is told with the namespace that was searched', async t => {
  const cluster = new FakeCluster(clusterView({ apps: [], services: [], tasks: [] }));
  await t.throwsAsync(listTasks(fakeShell(cluster, { namespace: 'prdo' }), ['shop/web'], {}), { message: /is named 'shop\/web' in namespace 'prdo'; see/ });
  await t.throwsAsync(getObjects(fakeShell(cluster), 'svc/shop/web', ['node/n1'], {}), { message: /^no service .*'shop\/web' in namespace 'default'/ });
  await t.throwsAsync(listTasks(fakeShell(cluster, { allNamespaces: true }), ['shop/web'], {}), { message: /is named 'shop\/web'; see/ });
});

test('-l takes what is not so, too', async t => {
  const shell = fakeShell(new FakeCluster(clusterView()), { output: 'name', selector: 'zone!=b' });
  await getObjects(shell, 'nodes', [], {});
  t.is(shell.terminal.text, 'node/n1\nnode/n2\n');
  const none = fakeShell(new FakeCluster(clusterView()), { output: 'name', selector: '!zone' });
  await getObjects(none, 'nodes', [], {});
  t.is(none.terminal.text, 'node/n2\n');
});

test('get tasks and ps report how many pending slots are not listed, also in JSON', async t => {
  const pending = Array.from({ length: 100 }, (_, slot) => ({ slot, reason: 'no node fits' }));
  const view = serviceView(WEB, { running: 0, healthy: 0, wanted: 150 }, 'progressing');
  const services = [serviceView(service({ name: 'api' }), { running: 1, healthy: 1, wanted: 1 }), { ...view, status: { ...view.status!, pending, pendingCount: 150 } }];
  const cluster = new FakeCluster(clusterView({ services, pending: pending.map(one => ({ service: WEB.id, ...one })) }));
  const list = { get: async (shell: ReturnType<typeof fakeShell>) => { await getObjects(shell, 'tasks', [], {}); }, ps: async (shell: ReturnType<typeof fakeShell>) => { await listTasks(shell, [], {}); } };
  for (const run of [list.get, list.ps]) {
    const [table, json] = [fakeShell(cluster), fakeShell(cluster, { output: 'json' })];
    await run(table);
    t.is(table.terminal.errorText, '50 more pending slots are not listed; clusterctl why APP/SERVICE shows the reasons\n');
    await run(json);
    t.is((JSON.parse(json.terminal.text) as { readonly pendingOmitted?: number }).pendingOmitted, 50);
  }
  const whole = fakeShell(new FakeCluster(clusterView()), { output: 'json' });
  await list.get(whole);
  t.false('pendingOmitted' in (JSON.parse(whole.terminal.text) as object));
  t.is(whole.terminal.errorText, '');
});

test('ps -A says whose namespace each task is in', async t => {
  const shell = fakeShell(new FakeCluster(clusterView()), { allNamespaces: true });
  await listTasks(shell, [], {});
  t.regex(shell.terminal.text, /^NAMESPACE +TASK +NAME .*\ndefault +dbaaaaaaaaaa +db-0/);
});

const IMAGE = {
  digest: parseDigest(`sha256:${'0123456789abcdef'.repeat(4)}`), names: ['r:5000/web:1'], sizeBytes: 1, layers: [], pulledAtMs: 0, usedAtMs: 0,
  config: { user: '', environment: [], entrypoint: ['/entry'], command: ['serve', '-v'], workingDir: '/', stopSignal: '' },
};

test('ps --format with a command asks the nodes what an image runs by itself', async t => {
  const own = service({ name: 'own', container: { entrypoint: ['/own'] } });
  const part = service({ name: 'part', container: { command: ['other'] } });
  const tasks = [taskView(WEB, 0, 'n1'), taskView(own, 0, 'n1'), taskView(part, 0, 'n1')];
  const cluster = new FakeCluster(clusterView({ services: [serviceView(WEB, { running: 1, healthy: 1, wanted: 1 })], tasks, pending: [] }));
  const image: TunnelFrame = { kind: 'image', image: { ...IMAGE, tasks: tasks.map(({ task }) => task.id) } };
  cluster.tunnelScript = () => framesOf<TunnelFrame>([image, { kind: 'exit', code: 0 }]);
  const shell = fakeShell(cluster);
  await listTasks(shell, [], { format: '{{.Service}} {{.Command}}' });
  t.is(shell.terminal.text, 'own "/own"\npart "/entry other"\nweb "/entry serve -v"\n');
  const silent = new FakeCluster(clusterView({ tasks: [taskView(WEB, 0, 'n1')], pending: [] }));
  silent.tunnelScript = () => framesOf<TunnelFrame>([{ kind: 'error', code: 'UNAVAILABLE', message: 'no session' }]);
  const partly = fakeShell(silent);
  await listTasks(partly, [], { format: '{{.Service}} {{.Command}}' });
  t.is(partly.terminal.text, 'web ""\n');
  t.regex(partly.terminal.errorText, /commands of images unknown: node\/n1: no session/);
});
