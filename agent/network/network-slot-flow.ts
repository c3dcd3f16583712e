import { closeSync, openSync, writeFileSync } from 'node:fs';
import { gatewayAddress, subnetPrefix } from '#model/addressing.ts';
import { hostNumberOfSlot, IDS_PER_SLOT } from './link-names.ts';
import type { NetworkNames } from './link-names.ts';
import { linkIndex } from '../kernel/netlink-syscall.ts';
import { inNetworkNamespace } from '../kernel/namespace-syscall.ts';
import { bindNamespaces, closeNamespaces, createNamespaces, descriptorPath, removeNamespaces, slotPaths } from './namespace-process.ts';
import type { HeldNamespaces } from './namespace-process.ts';
import type { NetworkSlot } from './ports.ts';
import { RouteSocket } from './route-socket.ts';
import { deleteLinkRequests, hostLinkRequests, slotSettings, TASK_LINK, taskLinkRequests } from './slot-plan.ts';
import type { SlotLink } from './slot-plan.ts';

/** What all slots of a node have in common. */
export interface SlotSite {
  readonly names: NetworkNames;
  readonly slotsDir: string;
  readonly subnetIndex: number;
  readonly mtuBytes: number;
  readonly userNamespaceBase: number;
}

/** Everything about a slot follows from its id. @throws RangeError when the id is none of ours */
export function describeSlot(site: SlotSite, id: string): NetworkSlot {
  const hostNumber = hostNumberOfSlot(id);
  if (hostNumber === undefined) {
    throw new RangeError(`network slot ${JSON.stringify(id)} is not HOSTNUMBER-SUFFIX`);
  }
  const { userNamespacePath, networkNamespacePath } = slotPaths(site.slotsDir, id);
  return {
    id, userNamespacePath, networkNamespacePath,
    hostBase: site.userNamespaceBase + IDS_PER_SLOT * hostNumber,
    address: `${subnetPrefix(site.subnetIndex)}.${String(hostNumber)}`,
  };
}

/** A slot that nobody has: it goes with this process. */
export interface ReadySlot {
  readonly slot: NetworkSlot;
  readonly held: HeldNamespaces;
}

/** Makes namespaces and wiring. @throws where nothing is left; AggregateError where its directory is. The directory comes first, so that a crash in between is swept. */
export async function createSlot(site: SlotSite, id: string): Promise<ReadySlot> {
  const slot = describeSlot(site, id);
  let held: HeldNamespaces | undefined;
  try {
    held = await createNamespaces(slotPaths(site.slotsDir, id), slot.hostBase, IDS_PER_SLOT);
    await wireSlot(site, { ...slot, networkNamespacePath: descriptorPath(held.networkFd) });
    return { slot, held };
  } catch (error) {
    if (held !== undefined) closeNamespaces(held);
    await destroySlots(site, [id]).catch((left: unknown) => {
      throw new AggregateError([error, left], `network slot ${id} could not be made, and something of it is left`);
    });
    throw error;
  }
}

/** Makes the slot one that outlasts this process. */
export function bindSlot(site: SlotSite, { slot, held }: ReadySlot): NetworkSlot {
  try {
    bindNamespaces(slotPaths(site.slotsDir, slot.id), held);
    return slot;
  } finally {
    closeNamespaces(held);
  }
}

/** The veth pair, both ends; also for a slot whose pair somebody deleted. */
export async function wireSlot(site: SlotSite, slot: NetworkSlot): Promise<void> {
  const link = slotLink(site, slot);
  const namespace = openSync(slot.networkNamespacePath, 'r');
  try {
    using outside = new RouteSocket();
    await outside.request(hostLinkRequests(link, namespace));
  } finally {
    closeSync(namespace);
  }
  const [socket, taskLinkIndex] = inNetworkNamespace(slot.networkNamespacePath, () => {
    for (const [name, value] of slotSettings(slot.hostBase, IDS_PER_SLOT)) {
      writeFileSync(`/proc/sys/${name}`, value);
    }
    const index = linkIndex(TASK_LINK);
    return [new RouteSocket(), index];
  });
  using inside = socket;
  await inside.request(taskLinkRequests(link, taskLinkIndex));
}

/** Takes away link, namespaces and directory of each; what is gone already is fine. */
export async function destroySlots(site: SlotSite, ids: readonly string[]): Promise<void> {
  using socket = new RouteSocket();
  await socket.request(deleteLinkRequests(ids.map(id => slotLinkName(site, id))));
  await Promise.all(ids.map(async id => { await removeNamespaces(slotPaths(site.slotsDir, id)); }));
}

export function slotLinkName(site: SlotSite, id: string): string {
  return `${site.names.taskLinkPrefix}${String(hostNumberOfSlot(id) ?? 0)}`;
}

function slotLink(site: SlotSite, slot: NetworkSlot): SlotLink {
  return {
    link: slotLinkName(site, slot.id),
    bridgeIndex: linkIndex(site.names.bridge),
    address: slot.address,
    gateway: gatewayAddress(site.subnetIndex),
    mtuBytes: site.mtuBytes,
  };
}
