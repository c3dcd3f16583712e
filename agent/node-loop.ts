import { gatewayAddress } from '#model/addressing.ts';
import type { TaskId } from '#model/ids.ts';
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
}

/** The tasks of the node, from the moment its subnet is known: from disk at a later start, from the first registration else. */
export class NodeLoop {
  readonly #parts: NodeParts;
  readonly #isUp = Promise.withResolvers<TaskSet>();
  #tasks: TaskSet | undefined;

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

  /** Network and names first, then the tasks. Further calls only check that both are there. @throws ClusterError FAILED_PRECONDITION for another subnet */
  async bringUp(subnetIndex: number, signal: AbortSignal): Promise<void> {
    await this.#parts.network.setUp(subnetIndex, signal);
    await this.#parts.proxy.setUp();
    await this.#parts.dns.ensureRunning(gatewayAddress(subnetIndex), signal);
    if (this.#tasks === undefined) {
      this.#tasks = await this.#parts.recover();
      this.#isUp.resolve(this.#tasks);
    }
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
