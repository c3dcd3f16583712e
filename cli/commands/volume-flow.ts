/** `volume ls|inspect|rm`: which node has the data of a named volume, who uses it, and giving it up. */
import { ClusterError, isClusterError } from '#model/errors.ts';
import type { ControlClient, VolumeView } from '#model/ports.ts';
import { quoted } from '#model/printable.ts';
import { volumeName } from '#model/volume.ts';
import type { TitledDocument } from '../format/items.ts';
import { nameOf, volumeItem, volumeTable } from '../format/volumes.ts';
import type { VolumeSizes } from '../format/volumes.ts';
import { DEFAULT_NAMESPACE, inNamespace, listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { readNode } from './node-flow.ts';
import { printListing, printPlain, say } from './print-flow.ts';
import type { Listing } from './print-flow.ts';
import { seenOnNode } from './seen-on-node-flow.ts';

export interface VolumeFlags {
  readonly all?: boolean;
  readonly node?: string;
  readonly force?: boolean;
  readonly detach?: boolean;
  readonly size?: boolean;
}

const LOOK_MS = 500;

/** @param names  none: all */
export async function listVolumes(shell: Shell, names: readonly string[], flags: VolumeFlags): Promise<void> {
  await printListing(shell, await volumeListing(shell, names, flags));
}

/** @throws ClusterError NOT_FOUND for a name that no volume has */
export async function volumeListing(shell: Shell, names: readonly string[], flags: VolumeFlags): Promise<Listing> {
  const client = await shell.connect();
  const namespace = flags.all === true ? undefined : listNamespace(shell.options);
  const views = (await client.listVolumes(namespace === undefined ? {} : { namespace })).filter(view => flags.node === undefined || view.volume.node === readNode(flags.node));
  requireKnown(names, views, namespace);
  const shown = views.filter(view => names.length === 0 || names.includes(nameOf(view)));
  const sizes = flags.size === true ? await sizesOf(shell, client, shown) : undefined;
  return {
    items: shown.map(view => volumeItem(view, sizes)), table: volumeTable(shown, shell.clock.nowMs(), sizes), names: shown.map(view => `volume/${nameOf(view)}`), isSingle: names.length === 1 && shown.length === 1,
  };
}

/** Always an array, as docker's. */
export async function inspectVolumes(shell: Shell, names: readonly string[]): Promise<void> {
  await printPlain(shell, (await documentsNamed(shell, names)).map(({ item }) => item));
}

/** One for each node that has data of that name. */
export async function volumeDocuments(shell: Shell, name: string): Promise<readonly TitledDocument[]> {
  return await documentsNamed(shell, [name]);
}

async function documentsNamed(shell: Shell, names: readonly string[]): Promise<readonly TitledDocument[]> {
  const client = await shell.connect();
  const namespace = shell.options.namespace ?? DEFAULT_NAMESPACE;
  const views = await client.listVolumes({ namespace });
  requireKnown(names, views, namespace);
  const shown = views.filter(view => names.includes(nameOf(view)));
  const sizes = await sizesOf(shell, client, shown);
  return shown.map(view => ({ title: nameOf(view), item: volumeItem(view, sizes) }));
}

/** Asked at once. */
const NODES_AT_ONCE = 16;

/** Of those that a task uses: its node is asked of it. */
async function sizesOf(shell: Shell, client: ControlClient, views: readonly VolumeView[]): Promise<VolumeSizes> {
  const sizes = new Map<VolumeView, number>();
  for (let start = 0; start < views.length; start += NODES_AT_ONCE) {
    await Promise.all(views.slice(start, start + NODES_AT_ONCE).map(async view => {
      const bytes = await sizeOf(shell, client, view);
      if (bytes !== undefined) sizes.set(view, bytes);
    }));
  }
  return sizes;
}

/** Undefined where no task uses it, or its node does not answer or does not know. */
async function sizeOf(shell: Shell, client: ControlClient, { volume, users: [user] }: VolumeView): Promise<number | undefined> {
  if (user === undefined) {
    return undefined;
  }
  try {
    const { volumes } = await seenOnNode({ id: user.task, node: volume.node }, { shell, client }) as { readonly volumes?: readonly { readonly name: string; readonly bytes: number | null }[] };
    return volumes?.find(({ name }) => name === volumeName(volume))?.bytes ?? undefined;
  } catch (error) {
    shell.signal.throwIfAborted();
    if (!(error instanceof ClusterError)) throw error;
    return undefined;
  }
}

/** Waits for the nodes that are there; the data on one that is away goes when it is back. */
export async function removeVolumes(shell: Shell, names: readonly string[], flags: VolumeFlags): Promise<void> {
  const client = await shell.connect();
  const namespace = shell.options.namespace ?? DEFAULT_NAMESPACE;
  const node = flags.node === undefined ? {} : { node: readNode(flags.node) };
  for (const name of names) {
    await client.removeVolume({ requestId: shell.newRequestId(), namespace, name, ...node, isForced: flags.force === true });
    const left = flags.detach === true ? [] : await untilRemoved(shell, client, view => view.volume.namespace === namespace && nameOf(view) === name);
    await say(shell, removedText(name, left));
  }
}

/** What of these is left on nodes that are away, or on none. */
export async function untilRemoved(shell: Shell, client: ControlClient, isMeant: (view: VolumeView) => boolean): Promise<readonly VolumeView[]> {
  for (;;) {
    const removing = (await client.listVolumes({})).filter(view => view.volume.state === 'removing' && isMeant(view));
    const { nodes } = removing.length === 0 ? { nodes: [] } : await client.view({ withoutTasks: true });
    const isThere = ({ volume }: VolumeView): boolean => nodes.some(({ node }) => node.id === volume.node && node.condition === 'ready');
    if (!removing.some(isThere)) {
      return removing;
    }
    await shell.clock.sleep(LOOK_MS, shell.signal);
  }
}

/** The volumes of the App that have data; none where the controller is older than volumes' records. */
export async function volumesOfApp(client: ControlClient, { namespace, name }: { readonly namespace: string; readonly name: string }): Promise<readonly VolumeView[]> {
  const views = await client.listVolumes({ namespace }).catch((error: unknown): readonly VolumeView[] => {
    if (isClusterError(error, 'FAILED_PRECONDITION')) return [];
    throw error;
  });
  return views.filter(({ volume }) => volume.app === name && volume.state === 'present');
}

/** `data-0 on n1, data-1 on n2`. */
export function placesText(views: readonly VolumeView[]): string {
  return views.map(view => `${nameOf(view)} on ${view.volume.node}`).join(', ');
}

export function removedText(name: string, left: readonly VolumeView[]): string {
  const away = [...new Set(left.map(({ volume }) => volume.node))].join(', ');
  return left.length === 0 ? `volume/${name} removed` : `volume/${name} is being removed: ${away} is away, its data goes when it is back`;
}

/** @throws ClusterError NOT_FOUND */
function requireKnown(names: readonly string[], views: readonly VolumeView[], namespace: string | undefined): void {
  const missing = names.find(name => !views.some(view => nameOf(view) === name));
  if (missing !== undefined) {
    throw new ClusterError('NOT_FOUND', `no volume is named ${quoted(missing)}${inNamespace(namespace)}; see clusterctl volume ls -A`);
  }
}
