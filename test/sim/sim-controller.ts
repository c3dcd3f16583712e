/** A controller as it is shipped, but for its process: core, replica and election over the simulated etcd and network. */
import { createHash } from 'node:crypto';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import type { ControlHandlers, PeerHandlers } from '#model/ports.ts';
import type { Logger } from '#kit/logger.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { ReplicaLoop } from '../../controller/api/replica-loop.ts';
import type { PeerReplicas } from '../../controller/api/replica-loop.ts';
import { SessionTable } from '../../controller/api/session-table.ts';
import { DecisionRecordFile } from '../../controller/decision-record-fs.ts';
import { CoreLoop } from '../../controller/core-loop.ts';
import type { Planners } from '../../controller/reconcile/reconcile-loop.ts';
import { requireSettings } from '../../controller/settings-flow.ts';
import { T0 } from '../support/builders.ts';
import { TURNING_SEALER } from '../support/memory-replica.ts';
import { silentLogger } from '../support/silent-logger.ts';
import type { Random } from './random.ts';
import type { SimLoad } from './sim-load.ts';
import { SimStore } from './sim-etcd.ts';
import type { SimEtcd } from './sim-etcd.ts';
import { SimProcess } from './sim-time.ts';

export const TIMES = DEFAULT_TIMES;
const PEER_CALL_LIMIT_MS = 1_000;

export interface ControllerWorld {
  readonly etcd: SimEtcd;
  readonly random: Random;
  readonly planners: Planners;
  readonly load: SimLoad;
  readonly recordDir?: string;
  readonly others: () => readonly SimController[];
  /** A loop ended with an error: what is shipped would exit. */
  readonly onExit: (name: string, error: unknown) => void;
  readonly log: (name: string) => Logger;
}

interface Life {
  readonly process: SimProcess;
  readonly core: CoreLoop;
  replica: ReplicaLoop | undefined;
}

/** `name` is also its address. `start`, `kill` and `start` again: each life begins with nothing but its name. */
export class SimController {
  readonly name: string;
  readonly #world: ControllerWorld;
  #life: Life | undefined;
  #wallOffsetMs = 0;
  #epoch: number | undefined;

  constructor(name: string, world: ControllerWorld) {
    this.name = name;
    this.#world = world;
  }

  get process(): SimProcess | undefined {
    return this.#life?.process;
  }

  get isServing(): boolean {
    return this.#life?.process.isRunning === true && this.#life.replica !== undefined;
  }

  /** Its wall clock is right. */
  get isClockTrue(): boolean {
    return this.#wallOffsetMs === 0;
  }

  get isLeading(): boolean {
    return this.#life?.process.isRunning === true && this.#life.core.leadership.leadership !== undefined;
  }

  get replica(): ReplicaLoop | undefined {
    return this.#life?.replica;
  }

  /** What it takes for the cluster's state; undefined while it is not there. */
  get picture(): ClusterSnapshot | undefined {
    return this.#life?.core.cluster.current;
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
    this.#life?.process.jumpWall(byMs);
  }

  kill(): void {
    this.#life?.process.kill();
    this.#life = undefined;
  }

  start(): void {
    const { etcd, load, random, planners, recordDir, log } = this.#world;
    const process = new SimProcess(etcd.time, this.#wallOffsetMs);
    const core: CoreLoop = new CoreLoop({
      store: new SimStore(etcd, process, this.name, () => (this.#epoch = core.leadership.leadership?.epoch ?? this.#epoch)),
      clock: process, logger: log(this.name), times: TIMES, clusterId: 'sim', random: () => random.next(), planners, measures: load.measures(this.name, process, random),
      record: { id: this.name, apiAddress: this.name, metricsAddress: '', startedAtMs: process.nowMs() },
      ...(recordDir === undefined ? {} : { recorder: new DecisionRecordFile(`${recordDir}/${this.name}`, { kind: 'start', controller: this.name, version: '0.1.0', startedAtMs: process.nowMs() }, silentLogger) }),
    });
    const life: Life = { process, core, replica: undefined };
    this.#life = life;
    this.#run(life).catch((error: unknown) => {
      if (!process.isDead) {
        this.#world.onExit(this.name, error);
      }
    });
  }

  async #run(life: Life): Promise<void> {
    const { signal } = new AbortController();
    const store = new SimStore(this.#world.etcd, life.process, this.name);
    const settings = await requireSettings(store, { clusterId: 'sim', defaultRegistry: 'docker.io', createdAtMs: T0 }, life.process, signal);
    await superviseLoops({ core: life.core, api: { run: inner => this.#serve(life, store, settings, inner) } }, signal);
  }

  async #serve(life: Life, store: SimStore, settings: Parameters<typeof requireSettings>[1], signal: AbortSignal): Promise<void> {
    const { core, process } = life;
    await core.cluster.ready(signal);
    const replica = new ReplicaLoop({
      controllerId: this.name, version: '0.1.0', defaultRegistry: 'docker.io', defaultPolicy: 'spread', reservedPorts: [], times: TIMES, settings, store, state: core.cluster, events: core.events,
      usage: undefined, hasPrometheus: true, clock: process, log: this.#world.log(this.name), audit: silentLogger, sealer: TURNING_SEALER,
      resolver: {
        resolve: image => Promise.resolve(`sha256:${createHash('sha256').update(`${image.repository}:${image.tag ?? ''}`).digest('hex')}` as never),
        listTags: unused, tag: unused, checkLogin: unused,
      },
      logins: { find: () => Promise.resolve(undefined), list: () => Promise.resolve([]), put: unused, delete: unused },
      authority: { caPem: '', sign: unused }, tokens: { make: unused, hashOf: () => undefined },
      lastRenewedMonotonicMs: () => core.registration.lastRenewedMonotonicMs(),
      random: () => 0.5, newId: () => uuid(this.#world.random), randomBytes: count => Buffer.from(Array.from({ length: count }, () => this.#world.random.between(0, 255))),
      sessions: new SessionTable(), peers: this.#peers(life),
    }, signal);
    life.replica = replica;
    await replica.run(signal);
  }

  #peers({ core, process }: Life): PeerReplicas {
    const call = async <Result>(to: string, ask: (peer: PeerHandlers) => Promise<Result>, limitMs: number): Promise<Result> =>
      await callOver(this.#world.etcd, { name: this.name, process }, this.#world.others().find(other => other.name === to), replica => ask(replica.peers), limitMs);
    const asked = { role: 'controller', name: this.name, address: '' } as const;
    return {
      awaitAtPeers: async (generation, timeoutMs) => {
        const others = [...core.cluster.current.controllers.values()].map(record => record.value.id).filter(id => id !== this.name);
        const answers = await Promise.allSettled(others.map(async id => await call(id, peer => peer.awaitEndpoints(generation, timeoutMs, asked), timeoutMs + PEER_CALL_LIMIT_MS)));
        return answers.every(answer => answer.status === 'rejected' || answer.value.isReached);
      },
      isHeardAt: async (controllerId, node: NodeId) => {
        const isThere = core.cluster.current.controllers.has(controllerId) && controllerId !== this.name;
        return isThere && await call(controllerId, peer => peer.hearsNode(node, asked), PEER_CALL_LIMIT_MS).then(({ isHeard }) => isHeard, () => false);
      },
      relay: unused,
    };
  }
}

/** Calls `ask` at the controller over the network. @throws ClusterError UNAVAILABLE when it does not answer in time, or is not there */
export async function callOver<Result>(
  { net, time }: SimEtcd, from: { readonly name: string; readonly process: SimProcess }, to: SimController | undefined,
  ask: (replica: ReplicaLoop) => Promise<Result>, limitMs: number,
): Promise<Result> {
  return await from.process.answer<Result>((resolve, reject) => {
    const stop = time.after(limitMs, () => { reject(new ClusterError('UNAVAILABLE', 'no answer in time')); });
    const back = (finish: () => void): void => { net.send(to?.name ?? '', from.name, () => { stop(); finish(); }); };
    net.send(from.name, to?.name ?? '', () => {
      const { process, replica } = to ?? {};
      if (process === undefined || replica === undefined) {
        back(() => { reject(new ClusterError('UNAVAILABLE', 'connection refused')); });
        return;
      }
      process.enter(() => {
        ask(replica).then(result => { back(() => { resolve(result); }); }, (error: unknown) => { back(() => { reject(error); }); });
      });
    });
  });
}

export type OperatorCall = keyof ControlHandlers;

export function uuid(random: Random): string {
  const hex = (digits: number): string => Array.from({ length: digits }, () => random.between(0, 15).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
}

function unused(): never {
  throw new Error('not part of the simulation');
}
