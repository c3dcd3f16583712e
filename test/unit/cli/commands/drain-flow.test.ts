import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import { drainNodes } from '../../../../cli/commands/drain-flow.ts';
import { clusterView, taskView, WEB } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell } from '../../../support/fake-shell.ts';

const names = (cluster: FakeCluster): readonly string[] => cluster.calls.map(([name]) => name);

test('a drain begins also where nobody can say what it cannot do, and says so', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('plan', new ClusterError('DEADLINE_EXCEEDED', 'the plan took too long'));
  const shell = fakeShell(cluster);
  await drainNodes(shell, ['n1'], { detach: true });
  t.deepEqual(names(cluster), ['plan', 'setAvailability']);
  t.is(shell.terminal.errorText, 'what the drain cannot do is not known: the plan took too long\n');
  t.is(shell.terminal.text, 'node/n1 draining\n');
});
test('a node that is not there is not drained', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('plan', new ClusterError('NOT_FOUND', 'node n9 does not exist'));
  await t.throwsAsync(drainNodes(fakeShell(cluster), ['n9'], { detach: true }), { message: 'node n9 does not exist' });
  t.deepEqual(names(cluster), ['plan']);
});

const keepsAll = { baseRevision: 10, actions: [], unplaced: [], changes: [], nodes: [], notes: [] };
const stopsOf = (cluster: FakeCluster): number => names(cluster).filter(name => name === 'stopTask').length;

test('where tasks cannot leave, the drain ends with an error that names each', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('plan', keepsAll);
  const error = await t.throwsAsync(drainNodes(fakeShell(cluster), ['n1'], {}), { instanceOf: ClusterError, code: 'FAILED_PRECONDITION' });
  t.deepEqual(error.violations.map(({ path }) => path), clusterView().tasks.filter(({ task }) => task.node === 'n1').map(({ task }) => `task/${task.id}`));
  t.is(stopsOf(cluster), 0);
});
test('by force they are stopped, and the node is drained when they have ended', async t => {
  const [ended] = [clusterView({ tasks: [taskView(WEB, 0, 'n1', { phase: 'complete' })] })];
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('plan', keepsAll);
  const shell = fakeShell(cluster);
  const client = cluster.client;
  shell.connect = () => {
    cluster.views = stopsOf(cluster) === 2 ? [ended] : cluster.views;
    return Promise.resolve(client);
  };
  await drainNodes(shell, ['n1'], { force: true });
  t.is(stopsOf(cluster), 2);
  t.true(shell.terminal.text.endsWith('node/n1 drained\n'));
});
test('a drain ends when the last task has', async t => {
  const cluster = new FakeCluster(clusterView(), clusterView({ tasks: [taskView(WEB, 1, 'n2')] }));
  cluster.answers.set('plan', { ...keepsAll, notes: ['there was no time'] });
  const shell = fakeShell(cluster);
  await drainNodes(shell, ['n1'], {});
  t.is(shell.terminal.text, 'node/n1 draining\nnode/n1 drained\n');
});
