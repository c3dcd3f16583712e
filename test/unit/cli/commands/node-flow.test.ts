import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import { drainNodes } from '../../../../cli/commands/node-flow.ts';
import { clusterView } from '../../../support/cluster-view.ts';
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
