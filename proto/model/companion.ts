/** What the containers of a task are together. */
import { addResources, largerResources } from './resources.ts';
import type { Resources } from './resources.ts';
import type { CompanionSpec, ContainerSpec } from './service.ts';

/** A service's or a task's containers. */
export interface ContainerSet {
  readonly container: ContainerSpec;
  readonly companions?: readonly CompanionSpec[];
}

/** The main container and every companion, in no order that means anything. */
export function containersOf({ container, companions = [] }: ContainerSet): readonly ContainerSpec[] {
  return [container, ...companions.map(companion => companion.container)];
}

/**
 * What a node must have free for a task: the main container with all sidecars, or the largest init container, whatever is more, since init
 * containers are gone before the others start.
 *
 * Source: Kubernetes, "Init Containers", "Resource sharing within containers"
 */
export function requestsOf(set: ContainerSet): Resources {
  if (set.companions === undefined) {
    return set.container.requests;
  }
  const requested = (role: CompanionSpec['role']): readonly Resources[] =>
    (set.companions ?? []).filter(companion => companion.role === role).map(companion => companion.container.requests);
  const together = requested('sidecar').reduce(addResources, set.container.requests);
  return requested('init').reduce(largerResources, together);
}

/** The manifest's place of the companion at `index`. */
export function companionPath(servicePath: string, companions: readonly CompanionSpec[], index: number): string {
  const role = companions[index]?.role;
  const place = companions.slice(0, index).filter(other => other.role === role).length;
  return `${servicePath}.${role === 'init' ? 'init_containers' : 'sidecars'}[${String(place)}]`;
}

/** `sidecar proxy`, for a person. */
export function describeCompanion({ companions = [] }: Pick<ContainerSet, 'companions'>, index: number): string {
  const { role = 'sidecar', name = String(index) } = companions[index] ?? {};
  return `${role === 'init' ? 'init container' : 'sidecar'} ${name}`;
}
