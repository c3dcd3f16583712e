import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import type { AppSpec } from '#model/app.ts';
import { runContainer } from '../../../../cli/commands/run-flow.ts';
import { ProcessExit } from '../../../../cli/exit-code.ts';
import type { RunFlags } from '../../../../cli/commands/run-wish-flow.ts';
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

/** The App that these flags ask for; the fake controller refuses it, so nothing waits for its start. */
async function askedFor(flags: RunFlags, input = ''): Promise<AppSpec['services'][number] | undefined> {
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('apply', new ClusterError('PERMISSION_DENIED', 'seen'));
  await runContainer(fakeShell(cluster, {}, input), 'hello:1', [], { detach: true, ...flags }).catch((error: unknown) => { if (!(error instanceof ProcessExit)) throw error; });
  return cluster.calls.map(([, request]) => request as { readonly app?: AppSpec }).find(({ app }) => app !== undefined)?.app?.services[0];
}

test('--env-file, below -e, and --label', async t => {
  const service = await askedFor({ envFile: ['job.env'], env: ['B=3'], label: ['team=data', 'tmp'] }, 'A=1\nB=2\nTAG\n');
  t.deepEqual(service?.container.environment, [{ name: 'A', value: '1' }, { name: 'B', value: '3' }, { name: 'TAG', value: '1.27' }]);
  t.deepEqual(service?.labels, [{ name: 'team', value: 'data' }, { name: 'tmp', value: '' }]);
});

test('a bad line of --env-file is named, and nothing is asked for', async t => {
  await t.throwsAsync(askedFor({ envFile: ['job.env'] }, 'A=1\nmy name=2\n'), { message: 'job.env:2: not a variable; write NAME=value, or NAME to pass on its value' });
});

test('--network takes bridge and host, and says so of others', async t => {
  t.deepEqual((await askedFor({ network: 'bridge' }))?.container.security.hostNamespaces, []);
  t.deepEqual((await askedFor({ network: 'host' }))?.container.security.hostNamespaces, ['userns', 'network']);
  await t.throwsAsync(askedFor({ network: 'none' }), { message: /^--network 'none': no such network; use bridge .* or host/ });
});
