/** What nodes say became of volumes to be removed, as their heartbeats tell it, into etcd; fenced by the session record like statuses. */
import type { ClusterSnapshot, Versioned } from '#model/cluster-snapshot.ts';
import type { NodeId } from '#model/ids.ts';
import type { Heartbeat } from '#model/session.ts';
import { volumeId, volumeName } from '#model/volume.ts';
import type { Volume } from '#model/volume.ts';
import { tasksUsingVolume } from '../schedule/volume-users.ts';
import { buildKey, volumeKey } from '../store/keys.ts';
import type { Compare, Operation, Store } from '../store/ports.ts';
import { encodeVolume } from '../store/records.ts';
import type { ClusterState, EventSink } from './ports.ts';

export interface VolumeNews extends Pick<Heartbeat, 'removedVolumes' | 'keptVolumes'> {
  readonly node: NodeId;
  /** etcd revision of the session record that they were told over. */
  readonly sessionRevision: number;
}

/** Each costs a compare and a put of the store's 120 operations; the rest comes with the next heartbeat. */
const BATCH_SIZE = 50;

/**
 * False: another session of the node was opened. What is no longer being removed is left alone, and what others changed meanwhile is told again. Data that stays
 * makes its volume one like any other again: whoever restored the store decides.
 */
export async function settleVolumes(news: VolumeNews, { store, state, events }: { readonly store: Store; readonly state: ClusterState; readonly events: EventSink }, signal: AbortSignal): Promise<boolean> {
  const settled = [...removed(state.current, news), ...kept(state.current, news)].slice(0, BATCH_SIZE);
  if (settled.length === 0) {
    return true;
  }
  const session = buildKey({ kind: 'session', id: news.node });
  const outcome = await store.transact(
    [{ kind: 'mod-revision', key: session, revision: news.sessionRevision }, ...settled.map(({ value, modRevision }): Compare => ({ kind: 'mod-revision', key: buildKey(volumeKey(value)), revision: modRevision }))],
    settled.map(({ value }): Operation => ({ kind: 'put', key: buildKey(volumeKey(value)), value: encodeVolume(value) })), signal);
  if (outcome.kind === 'committed') {
    events.record(settled.filter(({ value }) => value.state === 'present').map(({ value }) => ({
      type: 'warning', object: `node/${value.node}`, reason: 'VolumeKept',
      message: `the data of volume ${volumeName(value)} is newer than its removal, which a backup brought back: it stays; delete it with: clusterctl volume rm`,
    })));
  }
  await state.waitFor(outcome.etcdRevision, signal);
  return outcome.kind === 'committed' || !outcome.failed.includes(session);
}

/** A task that has not ended may have the data, whatever was said before its node knew of it. */
function removed(snapshot: ClusterSnapshot, { node, removedVolumes }: VolumeNews): readonly Versioned<Volume>[] {
  return removedVolumes.flatMap(name => leaving(snapshot, name, node)).filter(({ value }) => tasksUsingVolume(snapshot, value).length === 0)
    .map(record => ({ ...record, value: { ...record.value, state: 'removed' } }));
}

/** No task has a fence that etcd has not come to. */
function kept(snapshot: ClusterSnapshot, { node, keptVolumes }: VolumeNews): readonly Versioned<Volume>[] {
  return keptVolumes.flatMap(({ name, fence }) => leaving(snapshot, name, node).filter(({ value }) => value.fence < fence && fence <= snapshot.etcdRevision)
    .map(record => ({ ...record, value: { ...record.value, state: 'present', fence } })));
}

function leaving({ volumes }: ClusterSnapshot, name: string, node: NodeId): readonly Versioned<Volume>[] {
  const record = volumes.get(volumeId(name, node));
  return record?.value.state === 'removing' ? [record] : [];
}
