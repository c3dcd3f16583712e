import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import type { TunnelFrame } from '#model/tunnel.ts';
import { forwardPorts } from '../../../../cli/commands/port-forward-flow.ts';
import type { FakeShell } from '../../../support/fake-shell.ts';
import { clusterView, taskView, WEB } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell, frame, framesOf } from '../../../support/fake-shell.ts';
import { eventually } from '../../../support/dev-cluster.ts';

/** A forward that has begun; `end` interrupts it and answers what it ended with. */
async function begin(cluster: FakeCluster, ports: readonly string[], flags = {}): Promise<{ readonly shell: FakeShell; readonly local: readonly number[]; readonly end: () => Promise<unknown> }> {
  const stop = new AbortController();
  const shell: FakeShell = { ...fakeShell(cluster, flags), signal: stop.signal };
  const ended = forwardPorts(shell, 'shop/web', ports, {}).catch((error: unknown) => error);
  const local = await eventually('the ports', 60_000, () => {
    const found = [...shell.terminal.text.matchAll(/Forwarding from 127\.0\.0\.1:(\d+) -> \d+\n/g)].map(match => Number(match[1]));
    return found.length === ports.length && found;
  });
  return {
    shell, local,
    end: async () => {
      stop.abort(new Error('interrupted'));
      return await ended;
    },
  };
}

function dial(port: number): Socket {
  return connect({ host: '127.0.0.1', port, allowHalfOpen: true });
}

async function textOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Says back in capitals all that came, once its sender ended. */
async function* shout(sent: readonly TunnelFrame[]): AsyncGenerator<TunnelFrame> {
  await eventually('eof', 60_000, () => sent.at(-1)?.kind === 'eof');
  yield frame(Buffer.concat(sent.map(one => (one.kind === 'data' ? one.bytes : Buffer.alloc(0)))).toString().toUpperCase());
  yield { kind: 'eof' };
}

test('each connection is a tunnel of its own to the port; an end of one direction leaves the other', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.tunnelScript = shout;
  const { shell, local: [first = 0, second = 0], end } = await begin(cluster, [':80', ':9090']);
  const answers = await Promise.all([first, first, second].map(async (port, index) => {
    const socket = dial(port);
    socket.end(`hello ${String(index)}`);
    return await textOf(socket);
  }));
  t.deepEqual(answers, ['HELLO 0', 'HELLO 1', 'HELLO 2']);
  t.deepEqual(cluster.opened.map(({ request }) => request as unknown).toSorted((left, right) => JSON.stringify(left).localeCompare(JSON.stringify(right))), [
    { task: 'webaaaaaaaaa', spec: { kind: 'forward', port: 80 } }, { task: 'webaaaaaaaaa', spec: { kind: 'forward', port: 80 } }, { task: 'webaaaaaaaaa', spec: { kind: 'forward', port: 9090 } },
  ]);
  t.is(shell.terminal.text.match(new RegExp(`Handling connection for ${String(first)}\n`, 'g'))?.length, 2);
  t.like(await end(), { message: 'interrupted' });
  t.true(cluster.opened.every(({ tunnel }) => tunnel.isClosed));
  const [refused] = await once(dial(first), 'error') as [NodeJS.ErrnoException];
  t.is(refused.code, 'ECONNREFUSED');
});

test('a connection that is refused in the task is told and ends; the next one is served', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.tunnelScript = () => framesOf<TunnelFrame>([{ kind: 'error', code: 'UNAVAILABLE', message: 'connection refused: nothing listens on port 80 in the container' }]);
  const { shell, local: [port = 0], end } = await begin(cluster, [':80']);
  t.is(await textOf(dial(port)).catch(() => ''), '');
  const said = `error: forwarding ${String(port)} -> 80: connection refused: nothing listens on port 80 in the container\n`;
  await eventually('the error', 60_000, () => shell.terminal.errorText === said);
  cluster.tunnelScript = shout;
  const next = dial(port);
  next.end('again');
  t.is(await textOf(next), 'AGAIN');
  await end();
});

test('after a failed connection the service\'s task is chosen again', async t => {
  const cluster = new FakeCluster(clusterView());
  cluster.tunnelScript = () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new ClusterError('FAILED_PRECONDITION', 'task webaaaaaaaaa is not running')) }) });
  const { shell, local: [port = 0], end } = await begin(cluster, [':80']);
  await textOf(dial(port)).catch(() => '');
  await eventually('the error', 60_000, () => shell.terminal.errorText.includes('is not running'));
  cluster.views = [clusterView({ tasks: [taskView(WEB, 1, 'n2')] })];
  cluster.tunnelScript = shout;
  const next = dial(port);
  next.end('again');
  t.is(await textOf(next), 'AGAIN');
  t.like(cluster.opened.at(-1)?.request, { task: 'webbaaaaaaaa' });
  await end();
});

test('nothing listens before a target that does not run is refused; a port that is in use is told', async t => {
  const cluster = new FakeCluster(clusterView());
  t.like(await t.throwsAsync(forwardPorts(fakeShell(new FakeCluster(clusterView({ tasks: [] }))), 'shop/web', [':80'], {})), { code: 'FAILED_PRECONDITION' });
  await t.throwsAsync(forwardPorts(fakeShell(cluster), 'shop/web', [], {}), { message: /name a port/ });
  const { local: [port = 0], end } = await begin(cluster, [':80']);
  t.like(await t.throwsAsync(forwardPorts(fakeShell(cluster), 'shop/web', [`${String(port)}:80`], {})), { code: 'FAILED_PRECONDITION', message: `cannot listen on 127.0.0.1:${String(port)}: the port is in use; choose another one, or :REMOTE for a free one` });
  await end();
});

test('-o json says where it listens, as an object a line', async t => {
  const stop = new AbortController();
  const shell: FakeShell = { ...fakeShell(new FakeCluster(clusterView()), { output: 'json' }), signal: stop.signal };
  const ended = forwardPorts(shell, 'shop/web', [':80'], {}).catch(() => undefined);
  await eventually('a line', 60_000, () => shell.terminal.text.endsWith('\n'));
  const { localPort, ...rest } = JSON.parse(shell.terminal.text) as Record<string, unknown>;
  t.true(Number(localPort) > 0);
  t.deepEqual(rest, { address: '127.0.0.1', remotePort: 80, task: 'webaaaaaaaaa' });
  stop.abort(new Error('interrupted'));
  await ended;
});
