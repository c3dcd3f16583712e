import test from 'ava';
import { awaitRouted } from '../../../../cli/commands/routed-flow.ts';
import { ClusterError } from '#model/errors.ts';
import { FakeCluster, fakeShell } from '../../../support/fake-shell.ts';

async function told(answer: unknown): Promise<string> {
  const cluster = new FakeCluster();
  cluster.answers.set('awaitRouted', answer);
  const shell = fakeShell(cluster);
  await awaitRouted(shell, { etcdRevision: 41 });
  return `${JSON.stringify(cluster.calls)} ${shell.terminal.errorText}`.trim();
}

test('the nodes are asked for the revision of the view, for at most 5 s; all have it: nothing is said', async t => {
  t.is(await told({ isReached: true }), '[["awaitRouted",{"etcdRevision":41,"timeoutMs":5000}]]');
});

test('a node that has not confirmed is no failure, but is told', async t => {
  t.regex(await told({ isReached: false }), /warning: not every node has confirmed within 5 s/);
});

test('a controller that cannot say is no failure', async t => {
  t.notRegex(await told(new ClusterError('INTERNAL', 'AwaitRouted is not known here')), /warning/);
});

test('a bug is one', async t => {
  await t.throwsAsync(told(new TypeError('no')), { instanceOf: TypeError });
});
