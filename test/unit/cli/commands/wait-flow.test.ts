import test from 'ava';
import { waitFor } from '../../../../cli/commands/cluster-flow.ts';
import { listEvents } from '../../../../cli/commands/events-flow.ts';
import { getObjects } from '../../../../cli/commands/get-flow.ts';
import { UsageError } from '../../../../cli/options.ts';
import { node, T0 } from '../../../support/builders.ts';
import { clusterView } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell } from '../../../support/fake-shell.ts';

test('conditions are accepted as kubectl writes them', async t => {
  for (const text of ['running', 'condition=running', 'condition=Running=true']) {
    const shell = fakeShell(new FakeCluster(clusterView()));
    await waitFor(shell, 'shop/web-0', text);
    t.is(shell.terminal.text, 'task/webaaaaaaaaa is running\n');
  }
  for (const text of ['condition=Ready', 'condition=available', 'healthy']) {
    const shell = fakeShell(new FakeCluster(clusterView()));
    await waitFor(shell, 'shop/web-0', text);
    t.is(shell.terminal.text, 'task/webaaaaaaaaa is healthy\n');
  }
  const gone = fakeShell(new FakeCluster(clusterView({ apps: [], services: [], tasks: [] })));
  await waitFor(gone, 'app/shop', 'delete');
  t.is(gone.terminal.text, 'app/shop is gone\n');
});

test('a condition that is none is refused', async t => {
  for (const text of ['condition=ready=false', 'explode', 'condition=', 'state=running']) {
    await t.throwsAsync(waitFor(fakeShell(new FakeCluster(clusterView())), 'shop/web', text), { instanceOf: UsageError, message: /is none of healthy, complete/ }, text);
  }
});

test('a node is waited for until it is ready', async t => {
  const lost = clusterView({ nodes: clusterView().nodes.map(view => ({ ...view, node: node('n1', { condition: 'lost' }) })).slice(0, 1) });
  const cluster = new FakeCluster(lost, clusterView());
  const shell = fakeShell(cluster);
  await waitFor(shell, 'node/n1', 'condition=ready');
  t.is(shell.terminal.text, 'node/n1 is healthy\n');
  t.deepEqual(cluster.calls.map(([name]) => name), []);
  await t.throwsAsync(waitFor(fakeShell(cluster), 'node/n1', 'complete'), { instanceOf: UsageError, message: /node n1 is no workload; wait for ready or deleted/ });
});

test('events --type shows one type, in any case', async t => {
  const cluster = new FakeCluster(clusterView());
  const event = (type: 'normal' | 'warning', object: string): object => ({ type, object, reason: 'R', message: 'm', firstAtMs: T0, lastAtMs: T0, count: 1 });
  cluster.answers.set('events', [event('normal', 'node/n1'), event('warning', 'node/n2')]);
  const shell = fakeShell(cluster, { output: 'name' });
  await listEvents(shell, { type: 'Warning' });
  t.is(shell.terminal.text, 'node/n2\n');
  await t.throwsAsync(listEvents(fakeShell(cluster), { type: 'error' }), { instanceOf: UsageError, message: "--type 'error' is none of normal, warning" });
  const lines = fakeShell(cluster, { output: 'jsonpath={.type} {.object};' });
  await listEvents(lines, {});
  t.is(lines.terminal.text, 'normal node/n1;warning node/n2;');
});

test('get -o jsonpath prints a list, and one object', async t => {
  const cluster = new FakeCluster(clusterView());
  const list = fakeShell(cluster, { output: 'jsonpath={range .items[*]}{.name}={.replicas}{"\\n"}{end}' });
  await getObjects(list, 'svc', [], {});
  t.is(list.terminal.text, 'db=1\nweb=3\n');
  const single = fakeShell(cluster, { output: 'jsonpath={.state}' });
  await getObjects(single, 'node/n2', [], {});
  t.is(single.terminal.text, 'cordoned');
});
