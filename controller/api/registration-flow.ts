/** An agent's registration: its Node and session records, with a subnet at the first one. */
import { ClusterError } from '#model/errors.ts';
import { SUBNET_COUNT } from '#model/addressing.ts';
import type { NodeId } from '#model/ids.ts';
import type { ClusterSnapshot, Versioned } from '#model/cluster-snapshot.ts';
import type { Ledger, Node, SessionRecord } from '#model/node.ts';
import { NO_RESOURCES } from '#model/resources.ts';
import type { Peer } from '#model/ports.ts';
import type { RemovedNode } from '#model/records.ts';
import type { Registration, SessionRefusal } from '#model/session.ts';
import type { Clock } from '#kit/clock.ts';
import { decodeRemovedNode, encodeLedger, encodeNode, encodeSessionRecord } from '../store/records.ts';
import { transactGuarded } from '../store/guarded-write-flow.ts';
import { buildKey } from '../store/keys.ts';
import type { Compare, Operation, Store } from '../store/ports.ts';
import { takeTurn } from './address-turn-flow.ts';
import { isOutOfBackup, judgeInstance, storeWentBack } from './instance-rules.ts';
import type { ClusterState } from './ports.ts';

export interface RegistrationParts {
  readonly store: Store;
  readonly state: ClusterState;
  readonly clock: Clock;
  readonly controllerId: string;
}

export interface RegistrationOutcome {
  readonly kind: 'registered';
  readonly subnetIndex: number;
  /** etcd revision of the session record. */
  readonly recordRevision: number;
  /** The store was restored from a backup: the node had registered since. */
  readonly isStoreOlder: boolean;
}

const MAX_TRIES = 8;

interface Draft {
  readonly node: Node;
  readonly compares: readonly Compare[];
  readonly operations: readonly Operation[];
}

/** The store has less than the node was told of: it was restored from a backup, and its revisions were not raised. */
export interface OlderStore {
  readonly kind: 'older-store';
  readonly message: string;
}

/** Writes both records in one transaction; a refusal writes nothing. @throws ClusterError RESOURCE_EXHAUSTED when no subnet is left, CONFLICT when others keep winning */
export async function registerNode(
  registration: Registration, caller: { readonly peer: Peer; readonly sessionId: string }, parts: RegistrationParts, signal: AbortSignal,
): Promise<RegistrationOutcome | OlderStore | SessionRefusal> {
  const older = await olderStore(registration, parts, signal);
  if (older !== undefined) return older;
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const removed = await readRemoved(registration.node, parts.store, signal);
    const session = parts.state.current.sessions.get(registration.node);
    const refusal = judgeInstance(registration, caller.peer, { ...removed, ...(session === undefined ? {} : { session }) });
    if (refusal !== undefined) {
      return refusal;
    }
    const draft = await draftRecords(registration, caller.sessionId, parts, signal);
    const outcome = await transactGuarded(parts.store, draft.compares, draft.operations, signal);
    await parts.state.waitFor(outcome.etcdRevision, signal);
    if (outcome.kind === 'committed') {
      return { kind: 'registered', subnetIndex: draft.node.subnetIndex, recordRevision: outcome.etcdRevision, isStoreOlder: isOutOfBackup(registration, session) };
    }
  }
  throw new ClusterError('CONFLICT', `node ${registration.node} cannot be registered: its record keeps changing`);
}

/** An agent takes nothing that is older than what it has (reliability 4.4): it would take nothing of such a store until its revisions have caught up. */
async function olderStore({ node, knownRevision }: Registration, { store, state }: RegistrationParts, signal: AbortSignal): Promise<OlderStore | undefined> {
  if (knownRevision <= state.current.etcdRevision) return undefined;
  // The picture may only be late.
  const { etcdRevision } = await store.listKeys(buildKey({ kind: 'session', id: node }), signal);
  return knownRevision <= etcdRevision ? undefined : { kind: 'older-store', message: storeWentBack(node, knownRevision, etcdRevision) };
}

/** What is known of an earlier removal of the node. */
export async function readRemoved(node: NodeId, store: Store, signal: AbortSignal): Promise<{ readonly removed?: RemovedNode }> {
  const stored = await store.get(buildKey({ kind: 'removed-node', id: node }), signal);
  return stored === undefined ? {} : { removed: decodeRemovedNode(stored.value) };
}

async function draftRecords(registration: Registration, sessionId: string, parts: RegistrationParts, signal: AbortSignal): Promise<Draft> {
  const isKnown = parts.state.current.nodes.has(registration.node);
  const turn = isKnown ? undefined : await takeTurn(parts, signal);
  const snapshot = parts.state.current;
  const current = snapshot.nodes.get(registration.node);
  const held = snapshot.sessions.get(registration.node);
  const nowMs = parts.clock.nowMs();
  const node = nodeRecord(registration, current?.value, { subnetIndex: current?.value.subnetIndex ?? lowestFreeSubnet(snapshot), nowMs });
  const session: SessionRecord = { node: node.id, sessionId, controllerId: parts.controllerId, openedAtMs: nowMs, instanceNonce: registration.nextNonce };
  const ledger: Ledger = { node: node.id, requests: NO_RESOURCES, hostPorts: [] };
  return {
    node,
    compares: [
      { kind: 'mod-revision', key: buildKey({ kind: 'node', id: node.id }), revision: current?.modRevision ?? 0 },
      { kind: 'mod-revision', key: buildKey({ kind: 'session', id: node.id }), revision: held?.modRevision ?? 0 },
      ...(turn === undefined ? [] : [turn.compare]),
    ],
    operations: [
      { kind: 'put', key: buildKey({ kind: 'node', id: node.id }), value: encodeNode(node) },
      { kind: 'put', key: buildKey({ kind: 'session', id: node.id }), value: encodeSessionRecord(session) },
      ...(turn === undefined ? [] : [turn.operation, { kind: 'put', key: buildKey({ kind: 'ledger', id: node.id }), value: encodeLedger(ledger) } as const]),
    ],
  };
}

/** The Node as it is after the registration: the agent's facts are new, the operator's wishes stay. */
export function nodeRecord(registration: Registration, current: Node | undefined, fresh: { readonly subnetIndex: number; readonly nowMs: number }): Node {
  const labels = new Map([...(current?.labels ?? []), ...registration.labels]);
  labels.set('node', registration.node).set('arch', registration.architecture).set('os', 'linux');
  return {
    id: registration.node,
    availability: current?.availability ?? 'active',
    labels,
    taints: current?.taints ?? [],
    subnetIndex: fresh.subnetIndex,
    address: registration.address,
    capacity: registration.capacity,
    pids: registration.pids,
    runtimes: registration.runtimes,
    policy: registration.policy,
    cpus: registration.cpus,
    agentVersion: registration.agentVersion,
    metricsAddress: registration.metricsAddress,
    snapshotter: registration.snapshotter,
    condition: 'ready',
    conditionSinceMs: current?.condition === 'ready' ? current.conditionSinceMs : fresh.nowMs,
    isLossConfirmed: false,
    createdAtMs: current?.createdAtMs ?? fresh.nowMs,
  };
}

/** @throws ClusterError RESOURCE_EXHAUSTED, UNAVAILABLE while a Node cannot be read: its subnet is taken, and not known */
export function lowestFreeSubnet(snapshot: ClusterSnapshot): number {
  const [unreadable] = snapshot.unreadableNodes;
  if (unreadable !== undefined) {
    throw new ClusterError('UNAVAILABLE', `the record of node ${unreadable} cannot be read: no subnet is given until it can, or is gone`);
  }
  const taken = new Set([...snapshot.nodes.values()].map((node: Versioned<Node>) => node.value.subnetIndex));
  for (let index = 0; index < SUBNET_COUNT; index += 1) {
    if (!taken.has(index)) {
      return index;
    }
  }
  throw new ClusterError('RESOURCE_EXHAUSTED', `all ${String(SUBNET_COUNT)} node subnets are taken`);
}
