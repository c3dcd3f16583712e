import test from 'ava';
import type { TaskUsage } from '#model/usage.ts';
import { showUsage } from '../../../../cli/commands/top-flow.ts';
import { describeEnding, EXIT } from '../../../../cli/exit-code.ts';
import type { GlobalFlags } from '../../../../cli/options.ts';
import { T0 } from '../../../support/builders.ts';
import { clusterView } from '../../../support/cluster-view.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { FakeCluster, fakeShell } from '../../../support/fake-shell.ts';

const VIEW = clusterView();

function heard(): FakeCluster {
  const cluster = new FakeCluster(VIEW);
  const tasks = VIEW.tasks.map(({ task }): TaskUsage => ({
    sample: { node: task.node, task: task.id, atMs: T0, cpuMicroseconds: 1, memoryBytes: 1024, memoryLimitBytes: 0, processes: 1, networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0 }, milliCpu: 10,
  }));
  cluster.answers.set('usage', { isNatsConnected: true, tasks });
  return cluster;
}

async function shown(word: string, flags: GlobalFlags): Promise<string> {
  const shell = fakeShell(heard(), flags);
  await showUsage(shell, word, {});
  return shell.terminal.text;
}

test('tasks unless nodes are asked for', async t => {
  t.is(await shown('', { output: 'name' }), 'task/dbaaaaaaaaaa\ntask/webaaaaaaaaa\ntask/webbaaaaaaaa\n');
  t.is(await shown('tasks', { quiet: true }), 'dbaaaaaaaaaa\nwebaaaaaaaaa\nwebbaaaaaaaa\n');
  t.is(await shown('nodes', { output: 'name' }), 'node/n1\nnode/n2\n');
  t.is(await shown('nodes', { output: 'name', selector: 'zone=a' }), 'node/n1\n');
  t.is((JSON.parse(await shown('tasks', { output: 'json' })) as { items: unknown[] }).items.length, 3);
  for (const word of ['secrets', 'zzz']) await t.throwsAsync(shown(word, {}), { message: `top '${word}': only tasks and nodes use something; write top tasks or top nodes` });
});

for (const [isNatsConnected, message] of [
  [false, /^error: no usage samples; NATS is not connected to the controller.*; start it, or give the controllers --nats\n$/],
  [true, /^error: no usage samples; no agent sent any within the last 10 s; see/],
] as const) {
  test(`without samples top fails and says why: NATS ${isNatsConnected ? 'is connected' : 'is away'}`, async t => {
    const cluster = new FakeCluster(VIEW);
    cluster.answers.set('usage', { isNatsConnected, tasks: [] });
    const error = await t.throwsAsync(showUsage(fakeShell(cluster), '', {}));
    const { exitCode, text } = describeEnding(error, false);
    t.is(exitCode, EXIT.failed);
    t.regex(text, message);
  });
}

test('-w asks again each 2 s, until it is told to end', async t => {
  const clock = new FakeClock();
  const ending = new AbortController();
  const cluster = heard();
  const shell = { ...fakeShell(cluster, { output: 'name' }), clock, signal: ending.signal };
  const running = t.throwsAsync(showUsage(shell, 'nodes', { watch: true }), { message: 'enough' });
  await settle();
  t.is(cluster.calls.length, 1);
  await clock.advance(2_000);
  t.is(cluster.calls.length, 2);
  ending.abort(new Error('enough'));
  await running;
  t.is(shell.terminal.text, 'node/n1\nnode/n2\n'.repeat(2));
});
