import type { Clock } from '#kit/clock.ts';
import { isClusterError } from '#model/errors.ts';
import type { ContainerRuntime } from '../runtime/ports.ts';
import { shortageText } from '../shortage.ts';
import type { HealthProber, HealthVerdict, ProbeTarget } from './ports.ts';
import { probeGrpc, probeHttp, probeTcp } from './probe-client.ts';
import { isVerdictChanged, judgeProbe, nextProbeDelayMs, NO_PROBES } from './verdict.ts';
import type { ProbeResult } from './verdict.ts';

/** The calls that reach into a container; an aborted one answers or throws soon. */
export interface ProbeActions {
  readonly tcp: (address: string, port: number, signal: AbortSignal) => Promise<ProbeResult>;
  readonly http: (address: string, target: { readonly port: number; readonly path: string }, signal: AbortSignal) => Promise<ProbeResult>;
  readonly grpc: (address: string, target: { readonly port: number; readonly service: string }, signal: AbortSignal) => Promise<ProbeResult>;
  readonly exec: (containerId: string, command: readonly string[], signal: AbortSignal) => Promise<ProbeResult>;
}

export interface ProberOptions {
  /** Most exec probes on the node that begin at once: each starts a runtime. */
  readonly execConcurrency: number;
  /** 0 <= random < 1 */
  readonly random: () => number;
}

/** As long as the start of a runtime takes on a busy node: a probe keeps its place for no longer, so that one that hangs holds up no other container's. */
const EXEC_START_MS = 1_000;
/** Made once: an abort without a reason makes a DOMException, with its stack. */
const PROBE_ENDED = new Error('the probe ended');
/** Longest output of an exec probe that is kept: one line for a person. */
const MAX_MESSAGE_LENGTH = 200;

/** Probes containers, each by its own rhythm. */
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

  /** False when the signal ended the wait. */
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
    // What the container's own program then takes is its own matter: it is one process in its own group, and the next waits for it.
    const given = this.#sleeps(EXEC_START_MS, ended.signal).then(() => { this.#giveExecSlot(); });
    try {
      return await this.#bounded(target, signal);
    } finally {
      ended.abort(PROBE_ENDED);
      await given;
    }
  }

  /** The probe's answer, or a failure when its time is over or it threw; undefined when the agent was too short of something to ask, which says nothing of the container. */
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

/** Probes of real containers: tcp, http and gRPC over the bridge, exec through the runtime. */
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

/** What a container has no more of, its processes above all, is its own matter. */
function isOurShortage(error: unknown): boolean {
  return !isClusterError(error, 'RESOURCE_EXHAUSTED') && shortageText(error) !== undefined;
}

/** Control characters would reach a terminal. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').trim().slice(0, MAX_MESSAGE_LENGTH);
}
