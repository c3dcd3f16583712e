import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { claimedNames, isStray, runningContainers } from './audit.ts';
import type { HeapTrimmer } from './ports.ts';
import type { NodeNetwork } from './network/ports.ts';
import type { AuditFailure, NodeLoop } from './node-loop.ts';
import type { NodeDns } from './dns/ports.ts';
import type { ServiceProxy } from './proxy/ports.ts';
import type { RootfsSnapshotter } from './snapshot/ports.ts';
import type { Cgroups } from './cgroup/ports.ts';
import type { ContainerRuntime } from './runtime/ports.ts';
import type { TaskRecord } from './task/record.ts';

export interface AuditParts {
  readonly network: Pick<NodeNetwork, 'audit' | 'clearAway'>;
  readonly proxy: Pick<ServiceProxy, 'audit'>;
  readonly dns: Pick<NodeDns, 'audit'>;
  readonly snapshots: Pick<RootfsSnapshotter, 'list' | 'remove'>;
  readonly cgroups: Pick<Cgroups, 'holds' | 'list' | 'killAll' | 'remove'>;
  readonly runtime: Pick<ContainerRuntime, 'isAlive' | 'kill'>;
  readonly records: () => readonly TaskRecord[];
  /** Makes what there is not yet of the network, and learns what came of the looks at it. */
  readonly node: Pick<NodeLoop, 'ensureNetwork' | 'audited'>;
  readonly heap: HeapTrimmer;
  /** Each task looks at its own container again. */
  readonly wakeTasks: () => void;
  /** Rules or links had to be put back: the endpoint set is applied again. */
  readonly onRepaired: () => void;
  /** Something was put back, or does not belong here. */
  readonly tell: (what: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const AUDIT_INTERVAL_MS = 5_000;

/**
 * Compares the node with what should be there, and puts back what somebody else took away: links, rules, and each task's container. What
 * nobody claims at two looks in a row is removed. A container outside its control group has no limits: it is killed, and its restart policy
 * says what follows.
 */
export class AuditLoop {
  readonly #parts: AuditParts;
  #suspects: ReadonlySet<string> = new Set();

  constructor(parts: AuditParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#parts.clock.sleep(AUDIT_INTERVAL_MS, signal).catch(() => { /* the loop's condition sees the signal */ });
      await this.#once(signal);
    }
  }

  async #once(signal: AbortSignal): Promise<void> {
    const { network, wakeTasks } = this.#parts;
    if (signal.aborted) {
      return;
    }
    wakeTasks();
    await this.#auditNetwork(signal);
    await this.#attempt('network slots', async () => { await network.clearAway(); });
    await this.#attempt('limits', async () => { await this.#killUnlimited(); });
    await this.#attempt('leftovers', async () => { await this.#removeStrays(); });
    await this.#attempt('heap', async () => { await this.#parts.heap.trim(); });
  }

  async #auditNetwork(signal: AbortSignal): Promise<void> {
    const { network, proxy, dns, node } = this.#parts;
    await this.#attempt('bring-up', async () => { await node.ensureNetwork(signal); });
    const looks: readonly (readonly [string, () => Promise<readonly string[]>])[] = [
      ['network', async () => await network.audit()], ['proxy', async () => await proxy.audit()], ['names', async () => await dns.audit(signal)],
    ];
    let failure: AuditFailure | undefined;
    for (const [part, look] of looks) {
      await this.#attempt(part, async () => { this.#repaired(await look()); }, error => { failure ??= { part, error }; });
    }
    if (!signal.aborted) node.audited(failure);
  }

  async #killUnlimited(): Promise<void> {
    const { cgroups, runtime, records, tell } = this.#parts;
    for (const { id, process } of runningContainers(records())) {
      if (!await cgroups.holds(id, process.pid) && await runtime.isAlive(process)) {
        tell(`container ${id} was outside its control group, without limits, and is killed`);
        await runtime.kill(id, 'KILL', false);
      }
    }
  }

  async #removeStrays(): Promise<void> {
    const { snapshots, cgroups, records, tell } = this.#parts;
    const found = { rootfs: await snapshots.list(), cgroups: await cgroups.list() };
    const claimed = claimedNames(records());
    const suspects = new Set<string>();
    for (const id of found.cgroups.filter(one => isStray(one, claimed))) {
      suspects.add(`cgroup ${id}`);
      if (this.#suspects.has(`cgroup ${id}`)) {
        await cgroups.killAll(id);
        await cgroups.remove(id);
        tell(`control group ${id} belonged to no task and was removed`);
      }
    }
    for (const id of found.rootfs.filter(one => isStray(one, claimed))) {
      suspects.add(`rootfs ${id}`);
      if (this.#suspects.has(`rootfs ${id}`)) {
        await snapshots.remove(id);
        tell(`root file system ${id} belonged to no task and was removed`);
      }
    }
    this.#suspects = suspects;
  }

  #repaired(what: readonly string[]): void {
    if (what.length > 0) {
      this.#parts.onRepaired();
    }
    for (const one of what) {
      this.#parts.tell(`${one} was put back`);
    }
  }

  /** One look that does not work is no reason to leave out the others. */
  async #attempt(what: string, work: () => Promise<void>, onFailure: (error: unknown) => void = () => undefined): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log.warn({ err: error, what }, 'audit did not work; again at the next look');
      onFailure(error);
    }
  }
}
