/** Volumes whose data their node has deleted, as its heartbeats say, into etcd; fenced by the session record like statuses. */
import type { NodeId } from '#model/ids.ts';
import { volumeId } from '#model/volume.ts';
import { buildKey, volumeKey } from '../store/keys.ts';
import type { Compare, Operation, Store } from '../store/ports.ts';
import { encodeVolume } from '../store/records.ts';
import type { ClusterState } from './ports.ts';

export interface RemovedVolumes {
  readonly node: NodeId;
  /** etcd revision of the session record that they were told over. */
  readonly sessionRevision: number;
  /** As `volumeName` makes them. */
  readonly names: readonly string[];
}

/** Each costs a compare and a put of the store's 120 operations; the rest comes with the next heartbeat. */
const BATCH_SIZE = 50;

/** False: another session of the node was opened. What is no longer being removed is left alone, and what others changed meanwhile is told again. */
export async function settleVolumes({ node, sessionRevision, names }: RemovedVolumes, { store, state }: { readonly store: Store; readonly state: ClusterState }, signal: AbortSignal): Promise<boolean> {
  const records = names.flatMap(name => state.current.volumes.get(volumeId(name, node)) ?? []).filter(({ value }) => value.state === 'removing').slice(0, BATCH_SIZE);
  if (records.length === 0) {
    return true;
  }
  const session = buildKey({ kind: 'session', id: node });
  const outcome = await store.transact(
    [{ kind: 'mod-revision', key: session, revision: sessionRevision }, ...records.map(({ value, modRevision }): Compare => ({ kind: 'mod-revision', key: buildKey(volumeKey(value)), revision: modRevision }))],
    records.map(({ value }): Operation => ({ kind: 'put', key: buildKey(volumeKey(value)), value: encodeVolume({ ...value, state: 'removed' }) })), signal);
  await state.waitFor(outcome.etcdRevision, signal);
  return outcome.kind === 'committed' || !outcome.failed.includes(session);
}
