/** What agents do with fields of a task that agents of before ignore: without it, a task would run with less safety than its manifest says. */
import { containersOf } from './companion.ts';
import type { ContainerSet } from './companion.ts';
import type { ContainerSpec } from './service.ts';

/** Names are on the wire and in records: one is never used for something else. */
export const CAPABILITIES = ['fractional-devices', 'hugepages', 'sidecar-namespaces', 'storage'] as const;
export type Capability = typeof CAPABILITIES[number];

const NEEDS: Readonly<Record<Capability, (container: ContainerSpec) => boolean>> = {
  'fractional-devices': ({ deviceRequests }) => deviceRequests.some(({ milli }) => milli !== undefined),
  'hugepages': ({ limits }) => (limits.hugepages?.length ?? 0) > 0,
  'sidecar-namespaces': ({ security }) => (security.sidecarNamespaces?.length ?? 0) > 0,
  'storage': ({ limits }) => limits.storageBytes !== undefined,
};

/** Those that a node must have for a task of these containers, sorted. */
export function neededCapabilities(set: ContainerSet): readonly Capability[] {
  const containers = containersOf(set);
  return CAPABILITIES.filter(capability => containers.some(NEEDS[capability]));
}
