/** What an App may not have because of another App of the cluster: published ports, places of volumes, circles of services that must be near each other. */
import type { AppSpec, Service, VolumeSpec } from '#model/app.ts';
import { circleOf, describeCircle } from '#model/affinity-rules.ts';
import { findVolumeClash } from '#model/app-rules.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Violation } from '#model/errors.ts';
import { appId, parseServiceId, serviceId } from '#model/ids.ts';
import type { NodeId, ServiceId } from '#model/ids.ts';
import { isReservedPort } from '#model/reserved-port.ts';
import type { ReservedPorts } from '#model/reserved-port.ts';
import type { PublishedPort } from '#model/service.ts';
import { targetOf } from '../schedule/claims.ts';

/** True when the App names something that only one App may have: its apply takes a turn, so that two of them cannot both win. */
export function namesSharedThings(app: AppSpec): boolean {
  return app.volumes.length > 0 || app.services.some(service => service.container.ports.some(port => port.published !== undefined));
}

/** One violation for each port that the machines need or listen on, and for each port and volume that another App has. Services that are being deleted hold nothing any more. */
export function findClashes(app: AppSpec, snapshot: ClusterSnapshot, reserved: readonly ReservedPorts[]): readonly Violation[] {
  const held = [...snapshot.services.values()].map(record => record.value).filter(service => !service.isDeleting);
  const [own, others] = [true, false].map(isOwn => held.filter(service => (service.namespace === app.namespace && service.app === app.name) === isOwn)) as [Service[], Service[]];
  return [
    ...app.services.flatMap(service => service.container.ports.flatMap((port, index) => {
      const path = `services.${service.name}.ports[${String(index)}].published`;
      if (isReservedPort(port, reserved)) {
        return [{ path, message: `port ${String(port.published)}/${port.protocol} is reserved for the nodes by --reserved-ports of the controllers; choose another` }];
      }
      const listener = findListener(port, own, snapshot);
      if (listener !== undefined) {
        return [{ path, message: `port ${String(port.published)}/${port.protocol} is in use on node ${listener} by a process that is not a task; choose another port or stop that process` }];
      }
      const owner = findOwner(port, others);
      return owner === undefined ? [] : [{ path, message: `port ${String(port.published)}/${port.protocol} is already published by service ${owner.id}; choose another` }];
    })),
    ...affinityCircles(app, others),
    ...app.volumes.flatMap(volume => volumeClash(volume, others.filter(other => other.namespace === app.namespace))),
  ];
}

/**
 * A node on which a process listens on a port that is published on every node: the process would get no traffic any
 * more. A port that the App publishes already stays its own: there the process came later.
 */
function findListener({ protocol, published, mode }: PublishedPort, own: readonly Service[], { nodes }: ClusterSnapshot): NodeId | undefined {
  const isSame = (other: PublishedPort): boolean => other.published === published && other.protocol === protocol && other.mode === mode;
  if (published === undefined || mode !== 'ingress' || own.some(({ spec }) => spec.container.ports.some(isSame))) return undefined;
  const name = `${protocol}/${String(published)}`;
  return [...nodes.values()].find(({ value }) => value.condition !== 'lost' && value.listeningPorts.includes(name))?.value.id;
}

/** Services that must be near each other across Apps; within one, `checkAppSpec` tells. */
function affinityCircles({ namespace, name: app, services }: AppSpec, others: readonly Service[]): readonly Violation[] {
  const own = services.map(spec => ({ namespace, app, spec }));
  const targets = new Map([...own, ...others].map(one => [serviceId(one.namespace, one.app, one.spec.name), nearOf(one)]));
  return own.flatMap(one => one.spec.placement.affinity.flatMap((affinity, index) => {
    const id = serviceId(namespace, app, one.spec.name);
    const target = targetOf(one, affinity.service);
    const isStrange = affinity.weight === undefined && !target.startsWith(`${appId(namespace, app)}/`);
    const circle = isStrange ? circleOf(id, target, name => targets.get(parseServiceId(name)) ?? []) : undefined;
    return circle === undefined ? [] : [{ path: `services.${one.spec.name}.placement.affinity[${String(index)}]`, message: describeCircle(circle) }];
  }));
}

function nearOf(one: Pick<Service, 'namespace' | 'app' | 'spec'>): readonly ServiceId[] {
  return one.spec.placement.affinity.filter(affinity => affinity.weight === undefined).map(affinity => targetOf(one, affinity.service));
}

/** A host port is the node's alone, which the scheduler sees to; an ingress port is the whole cluster's. */
function findOwner(port: PublishedPort, others: readonly Service[]): Service | undefined {
  if (port.published === undefined) {
    return undefined;
  }
  return others.find(other => other.spec.container.ports.some(taken =>
    taken.published === port.published && taken.protocol === port.protocol && (taken.mode === 'ingress' || port.mode === 'ingress')));
}

function volumeClash(volume: VolumeSpec, others: readonly Service[]): readonly Violation[] {
  for (const other of others) {
    const message = findVolumeClash(volume, other.volumes);
    if (message !== undefined) {
      return [{ path: 'volumes', key: volume.name, message: `${message} of App ${other.namespace}/${other.app}` }];
    }
  }
  return [];
}
