import test from 'ava';
import { runContainer } from '../../../../cli/commands/run-flow.ts';
import { ProcessExit } from '../../../../cli/exit-code.ts';
import { clusterView } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell } from '../../../support/fake-shell.ts';

test('a name that an App has is refused with the code of docker: nothing is put in its place', async t => {
  const cluster = new FakeCluster(clusterView());
  const shell = fakeShell(cluster);
  const error = await t.throwsAsync(runContainer(shell, 'hello:1', [], { detach: true, name: 'shop' }), { instanceOf: ProcessExit });
  t.is(error.exitCode, 125);
  t.is(shell.terminal.errorText, 'error: app shop exists already; give another --name, or take it away: clusterctl delete app/shop -n default\n');
  t.deepEqual(cluster.calls.map(([name]) => name).filter(name => name === 'apply'), []);
});
