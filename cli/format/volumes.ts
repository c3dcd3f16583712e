/** Named volumes as `volume ls` and `volume inspect` show them. */
import type { VolumeView } from '#model/ports.ts';
import { volumeName } from '#model/volume.ts';
import { formatAge, formatTime } from './age.ts';
import { formatSize } from './images.ts';
import type { Item } from './items.ts';
import type { Table } from './table.ts';

/** As nodes call it: NAME, of a per_replica volume NAME-ORDINAL. */
export function nameOf({ volume }: VolumeView): string {
  return volumeName(volume).slice(volume.namespace.length + 1);
}

/** Bytes on disk; what no node told is not in it. */
export type VolumeSizes = ReadonlyMap<VolumeView, number>;

export function volumeItem(view: VolumeView, sizes?: VolumeSizes): Item {
  const { volume, users, services, unusedSinceMs } = view;
  return {
    namespace: volume.namespace, name: nameOf(view), volume: volume.name, ordinal: volume.slot ?? null, app: volume.app, service: volume.service, node: volume.node,
    isPerNode: volume.isPerNode, state: volume.state === 'removing' ? 'removing' : users.length > 0 ? 'in-use' : 'unused',
    usedBy: users.map(({ task, name }) => ({ task, name })), services, unusedSince: unusedSinceMs === undefined ? null : formatTime(unusedSinceMs), createdAt: formatTime(volume.createdAtMs),
    ...(sizes === undefined ? {} : { sizeBytes: sizes.get(view) ?? null }),
  };
}

export function volumeTable(views: readonly VolumeView[], nowMs: number, sizes?: VolumeSizes): Table {
  const size = (view: VolumeView): string => { const bytes = sizes?.get(view); return bytes === undefined ? '-' : formatSize(bytes); };
  return {
    head: ['NAMESPACE', 'NAME', 'APP', 'ORDINAL', 'NODE', 'STATE', 'AGE', ...(sizes === undefined ? [] : ['SIZE'])],
    rows: views.map(view => [
      view.volume.namespace, nameOf(view), view.volume.app, view.volume.slot === undefined ? '-' : String(view.volume.slot), view.volume.node, stateText(view, nowMs), formatAge(view.volume.createdAtMs, nowMs), ...(sizes === undefined ? [] : [size(view)]),
    ]),
  };
}

function stateText({ volume, users, services, unusedSinceMs }: VolumeView, nowMs: number): string {
  const [first, ...more] = users;
  const since = unusedSinceMs === undefined ? '' : ` for ${formatAge(unusedSinceMs, nowMs)}`;
  if (volume.state === 'removing') {
    return first === undefined ? 'being removed' : `being removed, once ${first.name} ended`;
  }
  if (first !== undefined) {
    return `in use by ${first.name}${more.length === 0 ? '' : ` and ${String(more.length)} more`}`;
  }
  return services.length > 0 ? `unused${since}, of ${services.join(', ')}` : `unused${since}`;
}
