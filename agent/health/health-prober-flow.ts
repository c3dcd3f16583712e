import type { Clock } from '#kit/clock.ts';
import { isClusterError } from '#model/errors.ts';
import type { ContainerRuntime } from '../runtime/ports.ts';
import { shortageText } from '../shortage.ts';
import type { HealthProber, HealthVerdict, ProbeTarget } from './ports.ts';
import { probeGrpc, probeHttp, probeTcp } from './probe-client.ts';
import { isVerdictChanged, judgeProbe, nextProbeDelayMs, NO_PROBES } from './verdict.ts';
import type { ProbeResult } from './verdict.ts';

/** Calls that reach into a container; an aborted call returns or throws soon. */
export interface ProbeActions {
  readonly tcp: (address: string, port: number, signal: AbortSignal) => Promise<ProbeResult>;
  readonly http: (address: string, target: { readonly port: number; readonly path: string }, signal: AbortSignal) => Promise<ProbeResult>;
  readonly grpc: (address: string, target: { readonly port: number; readonly service: string }, signal: AbortSignal) => Promise<ProbeResult>;
  readonly exec: (containerId: string, command: readonly string[], signal: AbortSignal) => Promise<ProbeResult>;
}

export interface ProberOptions {
  /** Maximum of exec probes that start at the same time on the node: each starts a runtime. */
  readonly execConcurrency: number;
  /** @returns a number with 0 <= number < 1 */
  readonly random: () => number;
}

/**
 * Time that the start of a runtime takes on a busy node. A probe keeps its place no longer, so a
 * probe that hangs does not block those of other containers.
 */
const EXEC_START_MS = 1_000;
/** Created once: an abort without a reason creates a DOMException with a stack. */
const PROBE_ENDED = new Error('the probe ended');
/** Longest output of an exec probe that is kept, in characters. */
const MAX_MESSAGE_LENGTH = 200;

/** Probes containers, each at its own interval. */
export class NodeHealthProber implements HealthProber {
  readonly #actions: ProbeActions;
  readonly #clock: Clock;
  readonly #options: ProberOptions;
  #execSlots: number;
  readonly #waiting: (() => void)[] = [];

  constructor(actions: ProbeActions, clock: Clock, options: ProberOptions) {
    this.#actions = actions;
    this.#clock = clock;
    this.#options = options;
    this.#execSlots = options.execConcurrency;
  }

  async *watch(target: ProbeTarget, signal: AbortSignal): AsyncIterable<HealthVerdict> {
    let history = NO_PROBES;
    while (await this.#sleeps(nextProbeDelayMs(target.check, history, this.#options.random()), signal)) {
      const result = await this.#probe(target, signal);
      if (signal.aborted) {
        return;
      }
      if (result === undefined) continue;
      const next = judgeProbe(target.check, history, result, this.#clock.nowMs() - target.startedAtMs);
      const isChanged = isVerdictChanged(history.verdict, next.verdict);
      history = next;
      if (isChanged) {
        yield next.verdict;
      }
    }
  }

  /** @returns false if the signal ended the wait */
  async #sleeps(durationMs: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#clock.sleep(durationMs, signal);
      return true;
    } catch (error) {
      if (signal.aborted) {
        return false;
      }
      throw error;
    }
  }

  async #probe(target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult | undefined> {
    if (target.check.action.kind !== 'exec') {
      return await this.#bounded(target, signal);
    }
    await this.#takeExecSlot();
    const ended = new AbortController();
    // The program of the container then takes time on its own: it is one process in its own group, and the next probe waits for it.
    const given = this.#sleeps(EXEC_START_MS, ended.signal).then(() => { this.#giveExecSlot(); });
    try {
      return await this.#bounded(target, signal);
    } finally {
      ended.abort(PROBE_ENDED);
      await given;
    }
  }

  /**
   * Returns the result of the probe, or a failure if it timed out or threw; undefined if the agent
   * lacks a resource to probe with, which says nothing about the container.
   */
  async #bounded(target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult | undefined> {
    const { timeoutMs } = target.check;
    const done = new AbortController();
    const until = AbortSignal.any([signal, done.signal]);
    const late = this.#sleeps(timeoutMs, until).then((): ProbeResult => ({ isSuccess: false, message: `no answer within ${String(timeoutMs)} ms` }));
    const answer = this.#act(target, until).catch((error: unknown): ProbeResult | undefined => (isOurShortage(error) ? undefined : { isSuccess: false, message: oneLine(error instanceof Error ? error.message : String(error)) }));
    try {
      return await Promise.race([answer, late]);
    } finally {
      done.abort();
    }
  }

  async #act(target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
    const { action } = target.check;
    switch (action.kind) {
      case 'tcp': return await this.#actions.tcp(target.address, action.port, signal);
      case 'http': return await this.#actions.http(target.address, action, signal);
      case 'grpc': return await this.#actions.grpc(target.address, action, signal);
      case 'exec': return await this.#actions.exec(target.containerId, action.command, signal);
    }
  }

  async #takeExecSlot(): Promise<void> {
    if (this.#execSlots > 0) {
      this.#execSlots -= 1;
      return;
    }
    await new Promise<void>(resolve => this.#waiting.push(resolve));
  }

  #giveExecSlot(): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#execSlots += 1;
    } else {
      next();
    }
  }
}

/**
 * Creates probes of real containers: tcp, http and gRPC over the bridge, exec through the runtime.
 */
export function nodeProbeActions(runtime: Pick<ContainerRuntime, 'exec'>): ProbeActions {
  return { tcp: probeTcp, http: probeHttp, grpc: probeGrpc, exec: async (containerId, command, signal) => await probeExec(runtime, { containerId, command }, signal) };
}

async function probeExec(runtime: Pick<ContainerRuntime, 'exec'>, probe: { readonly containerId: string; readonly command: readonly string[] }, signal: AbortSignal): Promise<ProbeResult> {
  const streams = await runtime.exec(probe.containerId, { command: probe.command, tty: false, stdin: false, environment: [] }, signal);
  const close = (): void => { streams.close(); };
  signal.addEventListener('abort', close, { once: true });
  try {
    let text = '';
    for await (const { bytes } of streams.output) {
      text = (text + Buffer.from(bytes).toString('utf8')).slice(-MAX_MESSAGE_LENGTH);
    }
    const { code } = await streams.ended;
    return code === 0 ? { isSuccess: true } : { isSuccess: false, message: oneLine(`exit ${String(code)}: ${text}`) };
  } finally {
    signal.removeEventListener('abort', close);
    streams.close();
  }
}

/** A shortage inside the container, such as its process limit, is a failure of the container. */
function isOurShortage(error: unknown): boolean {
  return !isClusterError(error, 'RESOURCE_EXHAUSTED') && shortageText(error) !== undefined;
}

/** Removes control characters, which must not reach a terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').trim().slice(0, MAX_MESSAGE_LENGTH);
}
