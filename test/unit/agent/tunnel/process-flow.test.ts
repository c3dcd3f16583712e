import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import type { Tunnel, TunnelFrame } from '#model/tunnel.ts';
import type { ProcessStreams } from '../../../../agent/runtime/ports.ts';
import { joinProcess, OWN_PROCESS } from '../../../../agent/tunnel/process-flow.ts';
import { serveTunnel } from '../../../../agent/tunnel/tunnel-flow.ts';
import type { TunnelServices } from '../../../../agent/tunnel/tunnel-flow.ts';
import { taskId } from '../../../support/builders.ts';

/** A client that says `frames` and then nothing more, without leaving. */
class FakeTunnel implements Tunnel {
  readonly sent: TunnelFrame[] = [];
  readonly frames: AsyncIterable<TunnelFrame>;

  constructor(...frames: readonly TunnelFrame[]) {
    this.frames = { async *[Symbol.asyncIterator]() { yield* frames; await new Promise(() => undefined); } };
  }

  send(frame: TunnelFrame): Promise<void> {
    this.sent.push(frame);
    return Promise.resolve();
  }

  close(): void {
    // Nothing of it is held.
  }
}

/** A process that runs until it is closed. */
class FakeProcess implements ProcessStreams {
  readonly #closed = Promise.withResolvers<undefined>();
  readonly output: ProcessStreams['output'];
  readonly ended = Promise.resolve({ code: 137 });
  isClosed = false;
  readonly signals: string[] = [];
  resizes: () => Promise<void> = () => Promise.resolve();

  constructor() {
    const closed = this.#closed.promise;
    this.output = { async *[Symbol.asyncIterator]() { yield { stream: 'stdout' as const, bytes: Buffer.from('x') }; await closed; } };
  }

  write(): Promise<void> { return Promise.resolve(); }
  closeInput(): Promise<void> { return Promise.resolve(); }
  resize(): Promise<void> { return this.resizes(); }
  signal(name: string): Promise<void> {
    if (name === 'NOPE') return Promise.reject(new ClusterError('INVALID_ARGUMENT', 'signal "NOPE" is not known'));
    this.signals.push(name);
    return Promise.resolve();
  }

  close(): void {
    this.isClosed = true;
    this.#closed.resolve(undefined);
  }
}

const NEVER = new AbortController().signal;

test('a client that left while the process was started: it is closed, though the tunnel says nothing of it', async t => {
  const process = new FakeProcess();
  await joinProcess(new FakeTunnel(), process, OWN_PROCESS, AbortSignal.abort(new Error('gone')));
  t.true(process.isClosed);
});

test('a client that leaves meanwhile closes it', async t => {
  const [process, left] = [new FakeProcess(), new AbortController()];
  const joined = joinProcess(new FakeTunnel(), process, OWN_PROCESS, left.signal);
  await turn();
  t.false(process.isClosed);
  left.abort();
  await joined;
  t.true(process.isClosed);
});

test('a signal that nobody knows closes the process and is told; those before it came', async t => {
  const [process, tunnel] = [new FakeProcess(), new FakeTunnel({ kind: 'signal', signal: 'INT' }, { kind: 'signal', signal: 'NOPE' })];
  await t.throwsAsync(joinProcess(tunnel, process, OWN_PROCESS, NEVER), { code: 'INVALID_ARGUMENT', message: 'signal "NOPE" is not known' });
  t.true(process.isClosed);
  t.deepEqual(process.signals, ['INT']);
});

test('an attachment whose terminal cannot be sized is not left open', async t => {
  const [process, tunnel] = [new FakeProcess(), new FakeTunnel()];
  process.resizes = () => Promise.reject(new ClusterError('UNAVAILABLE', 'its monitor takes no line'));
  const target = { task: taskId('ta'), isPaused: false, containerId: 'c', networkNamespacePath: '', logPath: '', ended: NEVER, stop: () => undefined, debug: () => Promise.resolve() };
  const services = { runtime: { attach: () => Promise.resolve(process), exec: () => Promise.reject(new Error('no exec here')) } } as unknown as TunnelServices;
  await serveTunnel({ tunnel, target, spec: { kind: 'attach', stdin: true, fromStart: false, size: { columns: 80, rows: 24 } } }, services, NEVER);
  t.true(process.isClosed);
  t.deepEqual(tunnel.sent, [{ kind: 'error', code: 'UNAVAILABLE', message: 'its monitor takes no line' }]);
});
