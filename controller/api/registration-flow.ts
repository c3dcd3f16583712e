/** An agent's registration: its Node and session records, with a subnet at the first one. */
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import type { Peer } from '#model/ports.ts';
import type { RemovedNode } from '#model/records.ts';
import type { Registration, SessionRefusal } from '#model/session.ts';
import type { Clock } from '#kit/clock.ts';
import { decodeClusterSettings, decodeRemovedNode, encodeNode, encodeSessionRecord } from '../store/records.ts';
import { transactGuarded } from '../store/guarded-write-flow.ts';
import { buildKey } from '../store/keys.ts';
import type { Store } from '../store/ports.ts';
import type { FirstRegistrations } from './first-registration-flow.ts';
import { isOutOfBackup, judgeInstance, storeIsAnother, storeWentBack } from './instance-rules.ts';
import type { ClusterState } from './ports.ts';
import { nodeRecord, requireStorable, sessionRecord } from './registration-records.ts';

export interface RegistrationParts {
  readonly store: Store;
  readonly state: ClusterState;
  readonly clock: Clock;
  readonly controllerId: string;
  readonly firstRegistrations: Pick<FirstRegistrations, 'write'>;
}

/** What was written. */
export interface WrittenRegistration {
  readonly subnetIndex: number;
  /** etcd revision of the session record. */
  readonly recordRevision: number;
}

export interface RegistrationOutcome extends WrittenRegistration {
  readonly kind: 'registered';
  /** The store was restored from a backup: the node had registered since. */
  readonly isStoreOlder: boolean;
}

const MAX_TRIES = 8;

/**
 * `StoreWentBack`: it has less than the node was told of; it was restored from a backup and its revisions were not raised. `StoreIsAnother`: it does not
 * know the node, which belongs to another cluster.
 */
export type WrongStoreReason = 'StoreWentBack' | 'StoreIsAnother';

export interface WrongStore {
  readonly kind: 'wrong-store';
  /** Also that of the event. */
  readonly reason: WrongStoreReason;
  readonly message: string;
}

/** Writes both records in one transaction; a refusal writes nothing. @throws ClusterError INVALID_ARGUMENT for one that is too large, RESOURCE_EXHAUSTED when no subnet is left, CONFLICT when others keep winning */
export async function registerNode(
  registration: Registration, caller: { readonly peer: Peer; readonly sessionId: string }, parts: RegistrationParts, signal: AbortSignal,
): Promise<RegistrationOutcome | WrongStore | SessionRefusal> {
  const wrong = await foreignStore(registration, parts, signal) ?? await olderStore(registration, parts, signal);
  if (wrong !== undefined) return wrong;
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const { removed } = await readRemoved(registration.node, parts.store, signal);
    const { nodes, sessions } = parts.state.current;
    const session = sessions.get(registration.node);
    const refusal = judgeInstance(registration, caller.peer, { ...(removed === undefined ? {} : { removed }), ...(session === undefined ? {} : { session }) });
    if (refusal !== undefined) {
      return refusal;
    }
    requireStorable(registration, nodes, removed);
    const written = nodes.has(registration.node)
      ? await writeAgain(registration, caller.sessionId, parts, signal)
      : await parts.firstRegistrations.write({ registration, sessionId: caller.sessionId, ...(removed?.replaced === undefined ? {} : { wishes: removed.replaced }) }, signal);
    if (written !== undefined) {
      return { kind: 'registered', ...written, isStoreOlder: isOutOfBackup(registration, session) };
    }
  }
  throw new ClusterError('CONFLICT', `node ${registration.node} cannot be registered: its record keeps changing`);
}

/** A node that is not on record belongs to the cluster that it registered in before, or to none. */
async function foreignStore({ node, clusterId }: Registration, { store, state }: RegistrationParts, signal: AbortSignal): Promise<WrongStore | undefined> {
  if (clusterId === '' || state.current.nodes.has(node)) return undefined;
  const stored = await store.get(buildKey({ kind: 'settings' }), signal);
  const here = stored === undefined ? '' : decodeClusterSettings(stored.value).clusterId;
  return clusterId === here ? undefined : { kind: 'wrong-store', reason: 'StoreIsAnother', message: storeIsAnother(node, clusterId, here) };
}

/** An agent takes nothing that is older than what it has (reliability 4.4): it would take nothing of such a store until its revisions have caught up. */
async function olderStore({ node, knownRevision }: Registration, { store, state }: RegistrationParts, signal: AbortSignal): Promise<WrongStore | undefined> {
  if (knownRevision <= state.current.etcdRevision) return undefined;
  // The picture may only be late.
  const { etcdRevision } = await store.listKeys(buildKey({ kind: 'session', id: node }), signal);
  return knownRevision <= etcdRevision ? undefined : { kind: 'wrong-store', reason: 'StoreWentBack', message: storeWentBack(node, knownRevision, etcdRevision) };
}

/** The revocation record of a name; `modRevision` is 0 without one. */
export interface RemovedEntry {
  readonly removed?: RemovedNode;
  readonly modRevision: number;
}

/** What is known of an earlier removal of the node. */
export async function readRemoved(node: NodeId, store: Store, signal: AbortSignal): Promise<RemovedEntry> {
  const stored = await store.get(buildKey({ kind: 'removed-node', id: node }), signal);
  return stored === undefined ? { modRevision: 0 } : { removed: decodeRemovedNode(stored.value), modRevision: stored.modRevision };
}

/** Of a node that is known; undefined when its records changed meanwhile. */
async function writeAgain(registration: Registration, sessionId: string, { store, state, clock, controllerId }: RegistrationParts, signal: AbortSignal): Promise<WrittenRegistration | undefined> {
  const { node: id } = registration;
  const current = state.current.nodes.get(id);
  if (current === undefined) {
    return undefined;
  }
  const nowMs = clock.nowMs();
  const { subnetIndex } = current.value;
  const [nodeKey, sessionKey] = [buildKey({ kind: 'node', id }), buildKey({ kind: 'session', id })];
  // What a newer controller wrote into the record beside what this one knows stays there.
  const record = encodeNode({ ...current.value, ...nodeRecord(registration, current.value, { subnetIndex, nowMs }) });
  // A changed record causes a new plan of every service with tasks on the node; a reconnection changes nothing.
  const isSame = Buffer.compare(record, encodeNode(current.value)) === 0;
  const outcome = await transactGuarded(store, [
    { kind: 'mod-revision', key: nodeKey, revision: current.modRevision },
    { kind: 'mod-revision', key: sessionKey, revision: state.current.sessions.get(id)?.modRevision ?? 0 },
  ], [
    ...(isSame ? [] : [{ kind: 'put', key: nodeKey, value: record } as const]),
    { kind: 'put', key: sessionKey, value: encodeSessionRecord(sessionRecord(registration, { sessionId, controllerId, nowMs })) },
  ], signal);
  await state.waitFor(outcome.etcdRevision, signal);
  return outcome.kind === 'committed' ? { subnetIndex, recordRevision: outcome.etcdRevision } : undefined;
}
