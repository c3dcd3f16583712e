/** A command's Shell over a cluster in memory, with a terminal that records. */
import type { ControlClient, ClusterView, ListFilter } from '#model/ports.ts';
import { systemClock } from '#kit/clock.ts';
import type { TerminalSize, Tunnel, TunnelFrame, TunnelRequest } from '#model/tunnel.ts';
import { readGlobalOptions } from '../../cli/options.ts';
import type { GlobalFlags } from '../../cli/options.ts';
import type { Shell, Terminal } from '../../cli/ports.ts';
import { FakeClock } from './fake-clock.ts';

/** Records what is written, gives `keys` as input, and counts raw modes that are still on. */
export class RecordingTerminal implements Terminal {
  isOutputTerminal = false;
  isErrorTerminal = false;
  isInputTerminal = false;
  terminalSize: TerminalSize | undefined;
  keys: readonly string[] = [];
  /** Keep the input open after the keys, as a person's terminal is. */
  isInputOpen = false;
  rawModes = 0;
  rawModesOn = 0;
  readonly output: Uint8Array[] = [];
  readonly errors: Uint8Array[] = [];
  readonly #resizeListeners = new Set<() => void>();
  readonly #signalListeners = new Set<(signal: string) => void>();

  get text(): string {
    return Buffer.concat(this.output).toString();
  }

  get errorText(): string {
    return Buffer.concat(this.errors).toString();
  }

  write(bytes: string | Uint8Array): Promise<void> {
    this.output.push(Buffer.from(bytes as Uint8Array));
    return Promise.resolve();
  }

  writeError(bytes: string | Uint8Array): Promise<void> {
    this.errors.push(Buffer.from(bytes as Uint8Array));
    return Promise.resolve();
  }

  style(_style: string, text: string): string {
    return text;
  }

  size(): TerminalSize | undefined {
    return this.terminalSize;
  }

  onSignal(listener: (signal: string) => void): Disposable {
    this.#signalListeners.add(listener);
    return { [Symbol.dispose]: () => { this.#signalListeners.delete(listener); } };
  }

  signal(name: string): void {
    for (const listener of this.#signalListeners) {
      listener(name);
    }
  }

  onResize(listener: () => void): Disposable {
    this.#resizeListeners.add(listener);
    return { [Symbol.dispose]: () => { this.#resizeListeners.delete(listener); } };
  }

  resize(size: TerminalSize): void {
    this.terminalSize = size;
    for (const listener of this.#resizeListeners) {
      listener();
    }
  }

  rawMode(): Promise<Disposable> {
    this.rawModes += 1;
    this.rawModesOn += 1;
    return Promise.resolve({ [Symbol.dispose]: () => { this.rawModesOn -= 1; } });
  }

  async *input(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (const key of this.keys) {
      yield Buffer.from(key);
    }
    if (this.isInputOpen && !signal.aborted) {
      await new Promise<void>(resolve => { signal.addEventListener('abort', () => { resolve(); }); });
    }
  }
}

/** A tunnel whose agent's end is a script over what was sent. */
export class ScriptedTunnel implements Tunnel {
  readonly sent: TunnelFrame[] = [];
  readonly frames: AsyncIterable<TunnelFrame>;
  isClosed = false;

  constructor(script: (sent: readonly TunnelFrame[]) => AsyncIterable<TunnelFrame>) {
    this.frames = script(this.sent);
  }

  send(frame: TunnelFrame): Promise<void> {
    this.sent.push(frame);
    return Promise.resolve();
  }

  close(): void {
    this.isClosed = true;
  }
}

/** A cluster that shows `views` one after the other, and records every other call as `[name, request]`. */
export class FakeCluster {
  views: ClusterView[];
  readonly calls: (readonly [string, unknown])[] = [];
  readonly opened: { readonly request: TunnelRequest; readonly tunnel: ScriptedTunnel }[] = [];
  readonly answers = new Map<string, unknown>([['listVolumes', []]]);
  tunnelScript: (sent: readonly TunnelFrame[], request: TunnelRequest) => AsyncIterable<TunnelFrame> = () => framesOf([]);

  constructor(...views: ClusterView[]) {
    this.views = views;
  }

  get client(): ControlClient {
    const answer = (name: string) => (request: unknown): Promise<unknown> => {
      this.calls.push([name, request]);
      const value = this.answers.get(name);
      return value instanceof Error ? Promise.reject(value) : Promise.resolve(value);
    };
    const own: Partial<ControlClient> = {
      view: filter => Promise.resolve(scoped(this.#view(0), filter)),
      watch: filter => framesOf(this.views.map(view => scoped(view, filter))),
      awaitRouted: async request => await answer('awaitRouted')(request).then(value => value as { readonly isReached: boolean } | undefined ?? { isReached: true }),
      openTunnel: request => this.#open(request),
      close: () => undefined,
    };
    return new Proxy(own, { get: (target, name) => Reflect.get(target, name) as unknown ?? (name === 'then' ? undefined : answer(String(name))) }) as ControlClient;
  }

  #view(index: number): ClusterView {
    const view = this.views[index];
    if (view === undefined) {
      throw new Error('the fake cluster has no view');
    }
    return view;
  }

  #open(request: TunnelRequest): Tunnel {
    const tunnel = new ScriptedTunnel(sent => this.tunnelScript(sent, request));
    this.opened.push({ request, tunnel });
    return tunnel;
  }
}

/** A view says what was asked for. */
function scoped(view: ClusterView, { namespace }: ListFilter): ClusterView {
  return namespace === undefined ? view : { ...view, namespace };
}

export async function* framesOf<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) {
    yield await Promise.resolve(item);
  }
}

export interface FakeShell extends Shell {
  readonly terminal: RecordingTerminal;
}

export function fakeShell(cluster: FakeCluster, flags: GlobalFlags = {}, input = ''): FakeShell {
  let ids = 0;
  return {
    options: readGlobalOptions(flags),
    terminal: new RecordingTerminal(),
    files: { read: () => Promise.resolve(Buffer.from(input)), readInput: () => Promise.resolve(Buffer.from(input)) },
    clock: { ...systemClock, nowMs: () => new FakeClock().nowMs() },
    environment: new Map([['TAG', '1.27']]),
    signal: new AbortController().signal,
    connect: () => Promise.resolve(cluster.client),
    newRequestId: () => `00000000-0000-0000-0000-${String(ids++).padStart(12, '0')}`,
  };
}

export function frame(text: string, stream: 'stdout' | 'stderr' = 'stdout'): TunnelFrame {
  return { kind: 'data', stream, bytes: Buffer.from(text) };
}
