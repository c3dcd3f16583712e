import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import type { TaskView } from '#model/ports.ts';
import type { TunnelFrame, TunnelRequest } from '#model/tunnel.ts';
import { inspectTargets } from '../../../../cli/commands/inspect-flow.ts';
import { setPaused } from '../../../../cli/commands/pause-flow.ts';
import { listTasks } from '../../../../cli/commands/ps-flow.ts';
import { restartTargets, stopTargets } from '../../../../cli/commands/scale-flow.ts';
import { killTargets } from '../../../../cli/commands/signal-flow.ts';
import { showStats } from '../../../../cli/commands/stats-flow.ts';
import { updateTargets } from '../../../../cli/commands/update-flow.ts';
import { UsageError } from '../../../../cli/options.ts';
import { MIB, T0 } from '../../../support/builders.ts';
import { clusterView, serviceView, taskView, WEB } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell, frame, framesOf } from '../../../support/fake-shell.ts';

function pausedView(slot: number, on = 'n1'): TaskView {
  const view = taskView(WEB, slot, on, { isPaused: true });
  return { ...view, task: { ...view.task, isPaused: true }, state: 'paused' };
}
const running = clusterView();
const paused = clusterView({ tasks: [pausedView(0), pausedView(1)] });
/** What was called, without the request ids. */
const callsOf = (cluster: FakeCluster): readonly unknown[] => cluster.calls.map(([name, request]) => {
  const { requestId: _, ...rest } = request as Readonly<Record<string, unknown>>;
  return [name, rest];
});

test('pause asks once for all tasks, and returns when they stand still', async t => {
  const cluster = new FakeCluster(running, running, paused);
  const shell = fakeShell(cluster);
  await setPaused(shell, ['shop/web', 'task/webaaaaaaaaa'], true);
  t.deepEqual(callsOf(cluster), [['setPaused', { tasks: ['webaaaaaaaaa', 'webbaaaaaaaa'], isPaused: true }]]);
  t.is(shell.terminal.text, 'shop/web\ntask/webaaaaaaaaa\n');
});

test('unpause takes those that are paused', async t => {
  const cluster = new FakeCluster(clusterView({ tasks: [pausedView(0), taskView(WEB, 1, 'n1')] }), running);
  await setPaused(fakeShell(cluster), ['shop/web'], false);
  t.deepEqual(callsOf(cluster), [['setPaused', { tasks: ['webaaaaaaaaa'], isPaused: false }]]);
});

for (const [what, view, isPaused, message] of [
  ['paused twice', paused, true, 'service/shop/web is already paused'],
  ['unpaused while it runs', running, false, 'service/shop/web is not paused'],
  ['paused after its end', clusterView({ tasks: [taskView(WEB, 0, 'n1', { phase: 'complete' })] }), true, 'service/shop/web is not running'],
] as const) {
  test(`nothing is sent where a target is ${what}`, async t => {
    const cluster = new FakeCluster(view);
    t.like(await t.throwsAsync(setPaused(fakeShell(cluster), ['shop/web'], isPaused)), { code: 'FAILED_PRECONDITION', message });
    t.deepEqual(cluster.calls, []);
  });
}

test('update of a service, of a task, and of what run made', async t => {
  const app = { ...running, services: [serviceView(WEB, { running: 1, healthy: 1, wanted: 1 })], tasks: [taskView(WEB, 0, 'n1'), taskView(WEB, 1, 'n1', { phase: 'failed' })] };
  const cluster = new FakeCluster(app);
  const shell = fakeShell(cluster);
  await updateTargets(shell, ['shop/web', 'task/webaaaaaaaaa', 'shop'], { memory: '64Mi', memorySwap: '96Mi' });
  const change = { memoryBytes: 64 * MIB, swapBytes: 32 * MIB };
  t.deepEqual(callsOf(cluster), [
    ['updateResources', { target: { kind: 'service', service: WEB.id }, change }],
    ['updateResources', { target: { kind: 'task', task: 'webaaaaaaaaa' }, change }],
    ['updateResources', { target: { kind: 'task', task: 'webaaaaaaaaa' }, change }],
  ]);
  t.is(shell.terminal.text, 'shop/web\ntask/webaaaaaaaaa\nshop\n');
});

test('one bad flag or target, and nothing is changed', async t => {
  const cluster = new FakeCluster(running);
  await t.throwsAsync(updateTargets(fakeShell(cluster), ['shop/web'], {}), { instanceOf: UsageError });
  await t.throwsAsync(updateTargets(fakeShell(cluster), ['shop/web', 'shop/none'], { memory: '64Mi' }), { message: /'shop\/none'/ });
  await t.throwsAsync(updateTargets(fakeShell(cluster), ['shop/web'], { memorySwap: '1Mi' }), { message: /at least the memory/ });
  t.deepEqual(cluster.calls, []);
});

test('stop -t and restart -t carry their grace period, for services too', async t => {
  const cluster = new FakeCluster(clusterView({ tasks: [taskView(WEB, 0, 'n1'), taskView(WEB, 1, 'n1', { phase: 'failed' })] }));
  await stopTargets(fakeShell(cluster), ['task/webaaaaaaaaa', 'shop/web'], { time: '2' });
  await restartTargets(fakeShell(cluster), ['shop/web', 'task/webaaaaaaaaa'], { time: '0' });
  t.deepEqual(callsOf(cluster), [
    ['stopTask', { task: 'webaaaaaaaaa', graceMs: 2_000 }],
    ['scale', { service: WEB.id, replicas: 0 }], ['stopTask', { task: 'webaaaaaaaaa', graceMs: 2_000 }],
    ['restart', { service: WEB.id, graceMs: 0 }], ['stopTask', { task: 'webaaaaaaaaa', graceMs: 0 }],
  ]);
  t.regex((await t.throwsAsync(stopTargets(fakeShell(cluster), ['shop/web'], { time: 'soon' }))).message, /--time must be 0\.\.86400/);
});

test('what run made is asked to stop at the container, with the grace period of the container or another', async t => {
  for (const [time, frame] of [[undefined, { kind: 'stop' }], ['2', { kind: 'stop', graceMs: 2_000 }]] as const) {
    const cluster = new FakeCluster(clusterView({ services: running.services.filter(({ service }) => service.id === WEB.id), tasks: [taskView(WEB, 0, 'n1')] }));
    cluster.tunnelScript = () => framesOf<TunnelFrame>([{ kind: 'exit', code: 137 }]);
    await stopTargets(fakeShell(cluster), ['shop'], time === undefined ? {} : { time });
    t.deepEqual(cluster.opened.map(({ tunnel }) => tunnel.sent), [[frame]]);
    t.deepEqual(callsOf(cluster), []);
  }
});

for (const [signal, thaws] of [['KILL', true], ['SIGTERM', true], ['USR1', false]] as const) {
  test(`kill -s ${signal} reaches a paused task${thaws ? ', which runs on to its end' : ', which stays paused'}`, async t => {
    const cluster = new FakeCluster(clusterView({ tasks: [pausedView(0)] }));
    cluster.tunnelScript = () => framesOf<TunnelFrame>([{ kind: 'exit', code: 137 }]);
    await killTargets(fakeShell(cluster), ['shop/web'], { signal });
    t.deepEqual(cluster.opened[0]?.tunnel.sent, [{ kind: 'signal', signal }]);
    t.deepEqual(callsOf(cluster), thaws ? [['setPaused', { tasks: ['webaaaaaaaaa'], isPaused: false }]] : []);
  });
}

/** Two samples of each task asked for, one second apart, half a core used between them. */
function twoSamples(_: unknown, request: TunnelRequest): AsyncIterable<TunnelFrame> {
  const tasks = 'spec' in request && request.spec.kind === 'stats' ? request.spec.tasks : [];
  return framesOf([0, 1].flatMap(round => tasks.map((task): TunnelFrame => ({
    kind: 'usage',
    sample: {
      node: (running.tasks.find(one => one.task.id === task) ?? pausedView(0)).task.node, task, atMs: T0 + round * 1_000, cpuMicroseconds: round * 500_000, memoryBytes: MIB,
      memoryLimitBytes: 4 * MIB, processes: 1, networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0,
    },
  }))));
}

test('stats --no-stream measures twice, with one tunnel a node', async t => {
  const cluster = new FakeCluster(running);
  cluster.tunnelScript = twoSamples;
  const shell = fakeShell(cluster, { output: 'json' });
  await showStats(shell, [], { stream: false });
  const items = shell.terminal.text.trimEnd().split('\n').map(line => JSON.parse(line) as Readonly<Record<string, unknown>>);
  t.deepEqual(items.map(item => [item['id'], item['milliCpu'], item['memoryBytes']]), [['dbaaaaaaaaaa', 500, MIB], ['webaaaaaaaaa', 500, MIB], ['webbaaaaaaaa', 500, MIB]]);
  t.deepEqual(cluster.opened.map(({ request, tunnel }) => ['spec' in request ? request.spec : undefined, tunnel.isClosed] as unknown), [
    [{ kind: 'stats', tasks: ['dbaaaaaaaaaa', 'webaaaaaaaaa'], intervalMs: 1_000, withWritable: false }, true], [{ kind: 'stats', tasks: ['webbaaaaaaaa'], intervalMs: 1_000, withWritable: false }, true],
  ]);
});

test('stats shows what does not run with -a, or named itself', async t => {
  const ended = clusterView({ tasks: [taskView(WEB, 0, 'n1', { phase: 'complete' })] });
  const shown = async (names: readonly string[], all: boolean): Promise<string> => {
    const shell = fakeShell(new FakeCluster(ended), { output: 'name' });
    await showStats(shell, names, { stream: false, all });
    return shell.terminal.text;
  };
  t.deepEqual(await Promise.all([shown([], false), shown(['shop/web'], false), shown([], true), shown(['task/webaaaaaaaaa'], false)]), ['', '', 'task/webaaaaaaaaa\n', 'task/webaaaaaaaaa\n']);
});

test('a node that gives no answer leaves its rows unknown, and the command fails', async t => {
  const cluster = new FakeCluster(running);
  cluster.tunnelScript = (sent, request) => ('task' in request && request.task === 'webbaaaaaaaa' ? framesOf<TunnelFrame>([{ kind: 'error', code: 'UNAVAILABLE', message: 'no session' }]) : twoSamples(sent, request));
  const shell = fakeShell(cluster);
  t.like(await t.throwsAsync(showStats(shell, [], { stream: false })), { code: 'UNAVAILABLE', message: 'node/n2: no session' });
  t.regex(shell.terminal.text, /webaaaaaaaaa .*50\.00% .*\nwebbaaaaaaaa .*n2 +-- +-- \/ --/);
});

/** One sample of each task asked for, with what it wrote where that was asked. */
function written(bytes: number): typeof twoSamples {
  return (_, request) => framesOf<TunnelFrame>('spec' in request && request.spec.kind === 'stats' && request.spec.withWritable ? request.spec.tasks.map(task => ({
    kind: 'usage', sample: {
      node: (running.tasks.find(one => one.task.id === task) ?? pausedView(0)).task.node, task, atMs: T0, cpuMicroseconds: 0, memoryBytes: 0, memoryLimitBytes: 0, processes: 1,
      networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0, writableBytes: bytes,
    },
  })) : []);
}

test('ps -s asks the nodes what tasks wrote; ps alone asks none', async t => {
  const cluster = new FakeCluster(running);
  cluster.tunnelScript = written(1_500);
  const shell = fakeShell(cluster);
  await listTasks(shell, [], { size: true });
  t.regex(shell.terminal.text, /AGE +SIZE +REASON\n/);
  t.is(shell.terminal.text.match(/ 1\.5kB/g)?.length, 3);
  t.true(cluster.opened.every(({ tunnel }) => tunnel.isClosed));
  const plain = new FakeCluster(running);
  const plainShell = fakeShell(plain);
  await listTasks(plainShell, [], {});
  t.notRegex(plainShell.terminal.text, /SIZE/);
  t.deepEqual(plain.opened, []);
});

test('ps -s of a node that gives no answer shows no size, and says so', async t => {
  const cluster = new FakeCluster(running);
  cluster.tunnelScript = (sent, request) => ('task' in request && request.task === 'webbaaaaaaaa' ? framesOf<TunnelFrame>([{ kind: 'error', code: 'UNAVAILABLE', message: 'no session' }]) : written(8_192)(sent, request));
  const shell = fakeShell(cluster, { output: 'json' });
  await listTasks(shell, [], { size: true });
  const { items } = JSON.parse(shell.terminal.text) as { readonly items: readonly Readonly<Record<string, unknown>>[] };
  t.deepEqual(items.filter(item => item['id'] !== null).map(item => [item['id'], item['writableBytes']]), [['dbaaaaaaaaaa', 8_192], ['webaaaaaaaaa', 8_192], ['webbaaaaaaaa', null]]);
  t.regex(shell.terminal.errorText, /sizes unknown: node\/n2: no session/);
});

test('stats draws again and again on a terminal, until it is told to end', async t => {
  const cluster = new FakeCluster(running);
  cluster.tunnelScript = twoSamples;
  const ending = new AbortController();
  let rounds = 0;
  const base = fakeShell(cluster);
  base.terminal.isOutputTerminal = true;
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (ms > 1_000) {
      return new Promise((_, reject) => { signal?.addEventListener('abort', () => { reject(signal.reason as Error); }, { once: true }); });
    }
    rounds += 1;
    return rounds === 2 ? Promise.reject(new Error('enough')) : Promise.resolve();
  };
  const shell = { ...base, clock: { ...base.clock, sleep }, signal: ending.signal };
  await t.throwsAsync(showStats(shell, ['shop/web'], {}), { message: 'enough' });
  t.deepEqual(shell.terminal.text.split('\x1b[H\x1b[2J').map(screen => /\d+\.\d\d%/.exec(screen)?.[0]), [undefined, '25.00%', '50.00%'], 'first only memory is known, then cpu too');
  t.true(cluster.opened.every(({ tunnel }) => tunnel.isClosed));
});

test('inspect is an array of what is wished, reported and seen on the node', async t => {
  const cluster = new FakeCluster(running);
  cluster.tunnelScript = () => framesOf([frame('{"container":{'), frame('"pid":100}}'), { kind: 'eof' }]);
  const shell = fakeShell(cluster);
  await inspectTargets(shell, ['task/webaaaaaaaaa', 'shop/db', 'node/n1', 'app/shop'], {});
  const documents = JSON.parse(shell.terminal.text) as readonly Readonly<Record<string, unknown>>[];
  t.deepEqual(documents.map(({ type }) => type), ['task', 'service', 'node', 'app']);
  t.like(documents[0], { id: 'webaaaaaaaaa', address: '10.128.0.10', record: { node: 'n1', isPaused: false }, status: { pid: 100 }, onNode: { container: { pid: 100 } }, onNodeError: null });
  t.like(documents[1], { record: { id: 'default/shop/db' }, tasks: { length: 1 } });
  t.like(documents[2], { record: { labels: { zone: 'a' } } });
  t.is((documents[3]?.['tasks'] as readonly unknown[]).length, 3);
});

test('inspect says why a node\'s part is missing, and prints nothing where a target is unknown', async t => {
  const cluster = new FakeCluster(running);
  cluster.tunnelScript = () => framesOf<TunnelFrame>([{ kind: 'error', code: 'UNAVAILABLE', message: 'no session' }]);
  const shell = fakeShell(cluster);
  await inspectTargets(shell, ['webaaaaaaaaa'], { type: 'task' });
  t.like((JSON.parse(shell.terminal.text) as readonly object[])[0], { onNode: null, onNodeError: 'no session' });
  const none = fakeShell(cluster);
  await t.throwsAsync(inspectTargets(none, ['webaaaaaaaaa', 'n9'], {}), { instanceOf: ClusterError, message: /'n9'/ });
  await t.throwsAsync(inspectTargets(none, ['n1'], { type: 'taks' }), { message: /did you mean 'task'/ });
  t.is(none.terminal.text, '');
});
