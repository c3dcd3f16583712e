/** Named volumes: which node has the data, who uses it, and giving it up. */
import type { ClusterSnapshot, Versioned } from '#model/cluster-snapshot.ts';
import { ClusterError } from '#model/errors.ts';
import { isLabel } from '#model/ids.ts';
import type { ControlHandlers, VolumeView } from '#model/ports.ts';
import type { Task } from '#model/task.ts';
import { isVolumeName, volumeName } from '#model/volume.ts';
import type { Volume } from '#model/volume.ts';
import { mountedBy, tasksUsingVolume, tasksWithVolume } from '../schedule/volume-users.ts';
import { buildKey, volumeKey } from '../store/keys.ts';
import type { Compare, Operation } from '../store/ports.ts';
import { encodeVolume } from '../store/records.ts';
import { requireRole } from './access.ts';
import { writeOnce } from './write-once-flow.ts';
import type { WriteDraft, WriteParts } from './write-once-flow.ts';

type VolumeHandlers = Pick<ControlHandlers, 'listVolumes' | 'removeVolume'>;
type RemoveRequest = Parameters<ControlHandlers['removeVolume']>[0];

/** Each costs a compare and a write of the 120 a transaction has. */
const MAX_REMOVED = 50;

export function createVolumeApi(parts: WriteParts & { readonly signal: AbortSignal }): VolumeHandlers {
  return {
    listVolumes(request, peer) {
      requireRole(peer, 'operator');
      const { current } = parts.state;
      return Promise.resolve([...current.volumes].filter(([, { value }]) => value.state !== 'removed' && (request.namespace === undefined || value.namespace === request.namespace))
        .sort(([left], [right]) => (left < right ? -1 : 1)).map(([, { value }]) => viewOf(current, value)));
    },
    async removeVolume(request, peer) {
      requireRole(peer, 'operator');
      if (!isLabel(request.namespace) || !isVolumeName(request.name)) {
        throw new ClusterError('INVALID_ARGUMENT', `${JSON.stringify(request.name.slice(0, 80))} is not the name of a volume: NAME, of a per_replica volume NAME-ORDINAL; see clusterctl volume ls`);
      }
      await writeOnce({ rpc: 'removeVolume', request }, parts, () => draftRemove(request, parts), parts.signal);
    },
  };
}

function viewOf(snapshot: ClusterSnapshot, volume: Volume): VolumeView {
  const users = tasksUsingVolume(snapshot, volume);
  const services = [...snapshot.services.values()].map(entry => entry.value).filter(service => service.namespace === volume.namespace && mountedBy([service])(volume));
  const unusedSinceMs = volume.unusedSinceMs ?? newestEnd(snapshot, tasksWithVolume(snapshot, volume));
  return {
    volume, users: users.map(({ id, name }) => ({ task: id, name })), services: services.map(service => service.id).sort(),
    ...(users.length > 0 || unusedSinceMs === undefined ? {} : { unusedSinceMs }),
  };
}

function newestEnd({ statuses }: ClusterSnapshot, tasks: readonly Task[]): number | undefined {
  const ends = tasks.flatMap(({ id }) => statuses.get(id)?.value.finishedAtMs ?? []);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

/** A task that is placed with the volume at the same time rewrites its record: one of the two is refused. */
function draftRemove(request: RemoveRequest, { state }: WriteParts): WriteDraft {
  const records = recordsNamed(state.current, request);
  records.forEach(({ value }) => { requireUnused(viewOf(state.current, value), request); });
  const present = records.filter(({ value }) => value.state === 'present');
  if (present.length > MAX_REMOVED) {
    throw new ClusterError('FAILED_PRECONDITION', `volume ${request.name} is on ${String(present.length)} nodes, at most ${String(MAX_REMOVED)} are removed at once; name one with --node`);
  }
  return {
    compares: present.map(({ value, modRevision }): Compare => ({ kind: 'mod-revision', key: buildKey(volumeKey(value)), revision: modRevision })),
    operations: present.map(({ value }): Operation => ({ kind: 'put', key: buildKey(volumeKey(value)), value: encodeVolume({ ...value, state: 'removing' }) })),
    outcome: { kind: 'done' },
  };
}

/** @throws ClusterError NOT_FOUND */
function recordsNamed({ volumes }: ClusterSnapshot, { namespace, name, node }: RemoveRequest): readonly Versioned<Volume>[] {
  const all = [...volumes.values()].filter(({ value }) => value.namespace === namespace && value.state !== 'removed');
  const named = all.filter(({ value }) => volumeName(value) === `${namespace}/${name}`);
  const found = named.filter(({ value }) => node === undefined || value.node === node);
  if (found.length > 0) {
    return found;
  }
  if (named.length > 0) {
    throw new ClusterError('NOT_FOUND', `volume ${namespace}/${name} is not on ${String(node)}; it is on ${named.map(({ value }) => value.node).sort().join(', ')}`);
  }
  const ordinals = all.filter(({ value }) => value.name === name && value.slot !== undefined).map(({ value }) => volumeName(value).slice(namespace.length + 1)).sort();
  throw new ClusterError('NOT_FOUND', ordinals.length === 0 ? `volume ${namespace}/${name} does not exist; see clusterctl volume ls -A`
    : `volume ${namespace}/${name} is one for each replica; name them: ${[...new Set(ordinals)].join(' ')}`);
}

/** @throws ClusterError FAILED_PRECONDITION */
function requireUnused({ volume, users, services }: VolumeView, { isForced }: RemoveRequest): void {
  const name = volumeName(volume);
  if (users.length > 0) {
    const more = users.length > 3 ? ` and ${String(users.length - 3)} more` : '';
    throw new ClusterError('FAILED_PRECONDITION', `volume ${name} on ${volume.node} is used by ${users.slice(0, 3).map(user => user.name).join(', ')}${more}; `
      + 'scale its service to 0 or delete it first; of a node that does not come back the data goes with: clusterctl node rm');
  }
  if (services.length > 0 && !isForced) {
    throw new ClusterError('FAILED_PRECONDITION', `volume ${name} belongs to service ${services.join(', ')}, whose next task would start with an empty one; delete the data all the same with --force`);
  }
}
