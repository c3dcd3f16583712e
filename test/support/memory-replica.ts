import { createHash } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import type { Peer } from '#model/ports.ts';
import type { ApplyParts } from '../../controller/api/apply-api.ts';
import { LostNodesLoop } from '../../controller/api/lost-nodes-loop.ts';
import type { NodeApiParts } from '../../controller/api/node-api.ts';
import type { SecretSealer } from '../../controller/api/ports.ts';
import { RequestLease } from '../../controller/api/write-once-flow.ts';
import type { PlannedEvent } from '../../controller/reconcile/plan.ts';
import { buildKey } from '../../controller/store/keys.ts';
import type { RecordKey } from '../../controller/store/keys.ts';
import { encodeClusterSettings } from '../../controller/store/records.ts';
import { ClusterWatch } from '../../controller/store/watch-loop.ts';
import { FakeClock, settle, T0 } from './fake-clock.ts';
import { MemoryEtcd } from './memory-store.ts';
import type { MemoryStore } from './memory-store.ts';
import { silentLogger } from './silent-logger.ts';

export const OPERATOR: Peer = { role: 'operator', name: 'ann', address: '10.0.0.1' };

/** One controller over an etcd in memory: its store, its mirror, and what it told people. Stops with the test. */
export class MemoryReplica {
  readonly etcd: MemoryEtcd;
  readonly clock: FakeClock;
  readonly store: MemoryStore;
  readonly state: ClusterWatch;
  readonly signal: AbortSignal;
  readonly told: PlannedEvent[] = [];
  readonly events = { record: (events: readonly PlannedEvent[]): void => { this.told.push(...events); } };
  readonly log = silentLogger;
  readonly #lostNodes: LostNodesLoop;

  private constructor(etcd: MemoryEtcd, clock: FakeClock, signal: AbortSignal) {
    this.etcd = etcd;
    this.clock = clock;
    this.store = etcd.connect();
    this.signal = signal;
    this.state = new ClusterWatch({ store: this.store, clock, logger: silentLogger, relistMs: 60_000, random: () => 0.5 });
    this.#lostNodes = new LostNodesLoop(this);
  }

  /** @param beside  another replica of the same cluster */
  static async start(t: ExecutionContext, beside?: MemoryReplica): Promise<MemoryReplica> {
    const clock = beside?.clock ?? new FakeClock();
    const over = new AbortController();
    const replica = new MemoryReplica(beside?.etcd ?? new MemoryEtcd(clock), clock, over.signal);
    if (beside === undefined) {
      await replica.put({ kind: 'settings' }, encodeClusterSettings({ clusterId: 'c', defaultRegistry: 'docker.io', createdAtMs: T0 }));
    }
    const running = Promise.allSettled([replica.state.run(over.signal), replica.#lostNodes.run(over.signal)]);
    t.teardown(async () => { over.abort(new Error('the test is over')); await running; });
    await replica.state.ready(over.signal);
    return replica;
  }

  /** @param store  of somebody beside the replica; default: its own */
  async put(key: RecordKey, value: Uint8Array, store = this.store): Promise<void> {
    await store.transact([], [{ kind: 'put', key: buildKey(key), value }]);
    await settle();
  }

  async delete(key: RecordKey): Promise<void> {
    await this.store.transact([], [{ kind: 'delete', key: buildKey(key) }]);
    await settle();
  }

  /** Keys that begin so, without the root. */
  keys(folder: string): readonly string[] {
    return this.etcd.range([`/gantry/v1/${folder}`]).map(entry => entry.key.slice('/gantry/v1/'.length));
  }

  /** What apply and the other writes need. Images resolve to the digest of their name; secrets are sealed by turning bytes over. */
  get parts(): ApplyParts & NodeApiParts & { readonly sealer: SecretSealer } {
    const { store, state, clock, signal, events } = this;
    return {
      store, state, clock, signal, events, lostNodes: this.#lostNodes, requestLease: new RequestLease(store, clock), defaultRegistry: 'docker.io', defaultPolicy: 'spread', reservedPorts: [{ first: 22, last: 22, protocol: 'tcp' }], sealer: TURNING_SEALER, hasPrometheus: false, random: () => 0,
      resolver: { resolve: image => Promise.resolve(`sha256:${createHash('sha256').update(image.repository).digest('hex')}` as never) },
    };
  }
}

const turn = (bytes: Uint8Array): Uint8Array => bytes.map(byte => byte ^ 0xff);
export const TURNING_SEALER: SecretSealer = {
  keyId: '01234567', seal: plain => ({ nonce: new Uint8Array(12), sealed: turn(plain) }), open: ({ sealed }) => turn(sealed),
  fingerprints: text => [new Uint8Array(createHash('sha256').update(text).digest())],
};

/** A request id of a number. */
export function requestId(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

