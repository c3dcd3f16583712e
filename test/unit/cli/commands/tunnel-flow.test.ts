import test from 'ava';
import type { TunnelFrame } from '#model/tunnel.ts';
import { ProcessExit } from '../../../../cli/exit-code.ts';
import { attachToTask, execInTask } from '../../../../cli/commands/exec-flow.ts';
import { clusterView, taskView, WEB } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell, frame, framesOf } from '../../../support/fake-shell.ts';

const EXIT_3: TunnelFrame = { kind: 'exit', code: 3 };

test('exec ends with the process\'s own code, streams apart, bytes untouched', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.tunnelScript = () => framesOf([frame('out\u001b[1m'), frame('err', 'stderr'), EXIT_3]);
  const shell = fakeShell(cluster);
  const end = await t.throwsAsync(execInTask(shell, 'shop/web', ['--', 'ls', '-l'], { env: ['A=1', 'TAG'], user: '5', workdir: '/srv' }), { instanceOf: ProcessExit });
  t.is(end.exitCode, 3);
  t.deepEqual([shell.terminal.text, shell.terminal.errorText], ['out\u001b[1m', 'err']);
  t.deepEqual(cluster.opened[0]?.request, {
    task: 'webaaaaaaaaa',
    spec: {
      kind: 'exec', command: ['ls', '-l'], tty: false, stdin: false, user: '5', workingDir: '/srv', environment: [{ name: 'A', value: '1' }, { name: 'TAG', value: '1.27' }],
    },
  } as never);
  t.true(cluster.opened[0]?.tunnel.isClosed);
  t.is(shell.terminal.rawModes, 0);
});

test('a terminal is raw during exec -it and restored after, with its size told and changes followed', async t => {
  const cluster = new FakeCluster(clusterView());
  const shell = fakeShell(cluster);
  Object.assign(shell.terminal, { isInputTerminal: true, terminalSize: { columns: 80, rows: 24 }, keys: ['ls\r'], isInputOpen: true });
  cluster.tunnelScript = async function* (sent) {
    await new Promise(resolve => { setImmediate(resolve); });
    t.is(shell.terminal.rawModesOn, 1);
    shell.terminal.resize({ columns: 100, rows: 30 });
    t.deepEqual(sent, [{ kind: 'data', stream: 'stdin', bytes: new Uint8Array(Buffer.from('ls\r')) }, { kind: 'resize', size: { columns: 100, rows: 30 } }]);
    yield EXIT_3;
  };
  await t.throwsAsync(execInTask(shell, 'shop/web', ['sh'], { interactive: true, tty: true }), { instanceOf: ProcessExit });
  t.like(cluster.opened[0]?.request, { spec: { tty: true, stdin: true, size: { columns: 80, rows: 24 } } });
  t.deepEqual([shell.terminal.rawModes, shell.terminal.rawModesOn], [1, 0]);
});

test('the terminal is restored when the agent refuses and when the tunnel breaks off', async t => {
  const cluster = new FakeCluster(clusterView());
  const endings: readonly (readonly [readonly TunnelFrame[], object])[] = [
    [[{ kind: 'error', code: 'NOT_FOUND', message: 'no sh' }], { code: 'NOT_FOUND', message: 'no sh' }],
    [[frame('x')], { code: 'UNAVAILABLE', message: 'the connection to the task broke off' }],
  ];
  for (const [frames, expected] of endings) {
    cluster.tunnelScript = () => framesOf(frames);
    const shell = fakeShell(cluster);
    Object.assign(shell.terminal, { isInputTerminal: true, isInputOpen: true });
    t.like(await t.throwsAsync(execInTask(shell, 'shop/web', ['sh'], { interactive: true, tty: true })), expected);
    t.is(shell.terminal.rawModesOn, 0);
  }
});

test('stdin that ends is told, in frames of at most 64 KiB', async t => {
  const cluster = new FakeCluster(clusterView());
  const shell = fakeShell(cluster);
  shell.terminal.keys = ['x'.repeat(65_537)];
  cluster.tunnelScript = async function* (sent) {
    while (sent.at(-1)?.kind !== 'eof') {
      await new Promise(resolve => { setImmediate(resolve); });
    }
    yield EXIT_3;
  };
  await t.throwsAsync(execInTask(shell, 'shop/web', ['cat'], { interactive: true }), { instanceOf: ProcessExit });
  t.deepEqual(cluster.opened[0]?.tunnel.sent.map(one => (one.kind === 'data' ? one.bytes.byteLength : one.kind)), [65_536, 1, 'eof']);
});

test('ctrl-p ctrl-q leaves an attached task running', async t => {
  const task = taskView(WEB, 0, 'n1');
  const container = { ...task.task.container, tty: true, stdin: true };
  const cluster = new FakeCluster(clusterView({ tasks: [{ ...task, task: { ...task.task, container } }] }));
  cluster.tunnelScript = () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) });
  const shell = fakeShell(cluster);
  Object.assign(shell.terminal, { isInputTerminal: true, keys: ['a', '\x10\x11'], isInputOpen: true });
  const end = await t.throwsAsync(attachToTask(shell, 'shop/web', {}), { instanceOf: ProcessExit });
  t.is(end.exitCode, 1);
  t.deepEqual(cluster.opened[0]?.tunnel.sent, [{ kind: 'data', stream: 'stdin', bytes: Uint8Array.from(Buffer.from('a')) }]);
  t.is(shell.terminal.rawModesOn, 0);
  t.is(shell.terminal.errorText, 'read escape sequence\n');
});

test('-it without a terminal is refused before anything is opened', async t => {
  const cluster = new FakeCluster(clusterView());
  await t.throwsAsync(execInTask(fakeShell(cluster), 'shop/web', ['sh'], { interactive: true, tty: true }), { message: 'the input device is not a terminal; leave out -t' });
  t.deepEqual(cluster.opened, []);
});
