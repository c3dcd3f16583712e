import { gatewayAddress } from '#model/addressing.ts';
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import { printable } from '#model/printable.ts';
import type { DesiredSet } from './assignment.ts';
import type { NodeDns } from './dns/ports.ts';
import type { NodeNetwork } from './network/ports.ts';
import type { ServiceProxy } from './proxy/ports.ts';
import type { TaskRecord } from './task/record.ts';
import type { TaskSet } from './task/task-set-loop.ts';

export interface NodeParts {
  readonly network: Pick<NodeNetwork, 'setUp'>;
  readonly proxy: Pick<ServiceProxy, 'setUp'>;
  readonly dns: Pick<NodeDns, 'ensureRunning'>;
  /** Recovers what was running; only once the network is there to give slots back. */
  readonly recover: () => Promise<TaskSet>;
  /** What cannot be made of the network, in words, at each change; empty: nothing any more. */
  readonly onNetworkFault: (fault: string) => void;
}

/** A look at a part of the network that did not work. */
export interface AuditFailure {
  readonly part: string;
  readonly error: unknown;
}

/** One audit that does not work, on a busy machine, is no fault of the network. */
const FAILED_AUDITS = 2;
/** In UTF-8: it is in the records of the controllers. */
const MAX_FAULT_BYTES = 512;

/**
 * The tasks of the node, from the moment its subnet is known: from disk at a later start, from the first registration else. Where its network cannot be made they are
 * taken back all the same, and may be stopped; attempts wait, the controllers learn the fault, and each audit tries again.
 */
export class NodeLoop {
  readonly #parts: NodeParts;
  readonly #isUp = Promise.withResolvers<TaskSet>();
  #tasks: TaskSet | undefined;
  #subnetIndex: number | undefined;
  #isNetworkUp = false;
  #networkFault = '';
  #failedAudits = 0;
  #connecting: Promise<void> | undefined;

  constructor(parts: NodeParts) {
    this.#parts = parts;
  }

  /** False until what was running is recovered: `records` says nothing before. */
  get isUp(): boolean {
    return this.#tasks !== undefined;
  }

  get records(): readonly TaskRecord[] {
    return this.#tasks?.records ?? [];
  }

  find(id: TaskId): ReturnType<TaskSet['find']> {
    return this.#tasks?.find(id);
  }

  /** What cannot be made of the network; empty: nothing. */
  get networkFault(): string {
    return this.#networkFault;
  }

  /** Why no attempt may begin; a network that was there once serves on as it is. */
  readonly networkProblem = (): string | undefined => (this.#isNetworkUp ? undefined : this.#networkFault);

  /** Network and names first, then the tasks. Further calls only check that both are there. @throws ClusterError FAILED_PRECONDITION for another subnet */
  async bringUp(subnetIndex: number, signal: AbortSignal): Promise<void> {
    if (this.#subnetIndex !== undefined && this.#subnetIndex !== subnetIndex) {
      throw new ClusterError('FAILED_PRECONDITION', `the node's subnet is ${String(this.#subnetIndex)} and cannot become ${String(subnetIndex)} while the agent runs`);
    }
    this.#subnetIndex = subnetIndex;
    await this.#connectOnce(subnetIndex, signal).catch(() => { signal.throwIfAborted(); });
    if (this.#tasks === undefined) {
      this.#tasks = await this.#parts.recover();
      this.#isUp.resolve(this.#tasks);
    }
  }

  /** Makes the network where that did not work yet. @throws what the machine says */
  async ensureNetwork(signal: AbortSignal): Promise<void> {
    if (this.#subnetIndex !== undefined && !this.#isNetworkUp) await this.#connectOnce(this.#subnetIndex, signal);
  }

  /** What came of an audit of the network; undefined: it is as it should be. */
  audited(failure: AuditFailure | undefined): void {
    if (!this.#isNetworkUp) return;
    this.#failedAudits = failure === undefined ? 0 : this.#failedAudits + 1;
    if (failure === undefined) this.#setFault('');
    else if (this.#failedAudits >= FAILED_AUDITS) this.#setFault(faultText(failure));
  }

  async #connectOnce(subnetIndex: number, signal: AbortSignal): Promise<void> {
    await (this.#connecting ??= this.#connect(subnetIndex, signal).finally(() => { this.#connecting = undefined; }));
  }

  async #connect(subnetIndex: number, signal: AbortSignal): Promise<void> {
    const { network, proxy, dns } = this.#parts;
    const steps: readonly (readonly [string, () => Promise<void>])[] = [
      ['network', async () => { await network.setUp(subnetIndex, signal); }], ['proxy', async () => { await proxy.setUp(); }],
      ['names', async () => { await dns.ensureRunning(gatewayAddress(subnetIndex), signal); }],
    ];
    for (const [part, step] of steps) {
      await step().catch((error: unknown) => {
        signal.throwIfAborted();
        this.#isNetworkUp = false;
        this.#setFault(faultText({ part, error }));
        throw error;
      });
    }
    this.#isNetworkUp = true;
    this.#failedAudits = 0;
    this.#setFault('');
  }

  #setFault(fault: string): void {
    if (fault === this.#networkFault) return;
    this.#networkFault = fault;
    this.#parts.onNetworkFault(fault);
  }

  desire(set: DesiredSet): void {
    this.#tasks?.desire(set);
  }

  foresee(set: DesiredSet, kept: Promise<void>): void {
    this.#tasks?.foresee(set, kept);
  }

  tellOomKills(...kills: Parameters<TaskSet['tellOomKills']>): void {
    this.#tasks?.tellOomKills(...kills);
  }

  tellOverStorage(...told: Parameters<TaskSet['tellOverStorage']>): void {
    this.#tasks?.tellOverStorage(...told);
  }

  tellLostOutput(...told: Parameters<TaskSet['tellLostOutput']>): void {
    this.#tasks?.tellLostOutput(...told);
  }

  wakeAll(): void {
    this.#tasks?.wakeAll();
  }

  /** Exclusive tasks that wait for a controller's word look again. */
  wakeExclusive(): void {
    this.#tasks?.wakeExclusive();
  }

  async run(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<undefined>();
    signal.addEventListener('abort', () => { aborted.resolve(undefined); }, { once: true });
    const tasks = await Promise.race([this.#isUp.promise, aborted.promise]);
    await tasks?.run(signal);
  }
}

/** One line of bounded size; a half character at its end goes. */
function faultText({ part, error }: AuditFailure): string {
  const text = `${part}: ${messages(error).join(': ')}`.replaceAll(/\s+/g, ' ');
  return Buffer.from(printable(text)).subarray(0, MAX_FAULT_BYTES).toString().replace(/\uFFFD+$/, '');
}

/** The message of the error, and that of its cause where it differs. */
function messages(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  return error.cause instanceof Error && !error.message.includes(error.cause.message) ? [error.message, error.cause.message] : [error.message];
}
