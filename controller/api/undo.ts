/** What an App, or one service of it, was in an earlier Revision, as the next one. */
import type { AppSpec, ContentPins, Revision, Service, ServiceStatus, VolumeSpec } from '#model/app.ts';
import { containersOf } from '#model/companion.ts';
import { ClusterError } from '#model/errors.ts';
import type { ServiceSpec } from '#model/service.ts';
import { replicasKeptByUndo, withReplicas } from '../autoscale/replica-scale.ts';
import type { UndoneSpec } from '../autoscale/replica-scale.ts';

export interface UndoneApp {
  /** Without contents: `pins` names those that are stored. */
  readonly app: AppSpec;
  readonly pins: ContentPins;
}

/** A Service of the App now. */
export interface CurrentService {
  readonly service: Service;
  /** Absent: the leader has not read it yet. */
  readonly status?: ServiceStatus | undefined;
}

/** All services as `revision` has them, with the replicas that they have now. Services that it has not go; those that went come back. */
export function undoneApp(revision: Revision, current: ReadonlyMap<string, CurrentService>): UndoneApp {
  const services = revision.services.map(spec => keepReplicas({ number: revision.number, spec }, current.get(spec.name)));
  return { app: specOf(revision, services, revision.volumes), pins: revision.pins };
}

/**
 * One service as `revision` has it; the others as they are.
 * @throws ClusterError NOT_FOUND where the Revision has no such service, FAILED_PRECONDITION where it names a content or a volume that another service has otherwise
 */
export function undoneService(revision: Revision, name: string, current: ReadonlyMap<string, CurrentService>): UndoneApp {
  const spec = revision.services.find(one => one.name === name);
  if (spec === undefined) {
    throw new ClusterError('NOT_FOUND', `revision ${String(revision.number)} has no service ${name}`);
  }
  const others = [...current.values()].map(one => one.service).filter(service => service.name !== name).sort((left, right) => left.revision - right.revision);
  const undone = usesOf({ spec, pins: revision.pins, volumes: revision.volumes });
  const uses = new Map<string, Use>();
  for (const { key, use } of others.flatMap(usesOf)) {
    uses.set(key, use);
  }
  for (const { key, use } of undone) {
    const other = others.find(service => usesOf(service).some(one => one.key === key && JSON.stringify(one.use) !== JSON.stringify(use)));
    if (other !== undefined) {
      throw new ClusterError('FAILED_PRECONDITION', `${key} of revision ${String(revision.number)} is not what service ${other.name} uses now; go back with the whole App: clusterctl rollout undo app/${other.app} --to-revision ${String(revision.number)}`);
    }
    uses.set(key, use);
  }
  const services = [...others.map(service => service.spec), keepReplicas({ number: revision.number, spec }, current.get(name))];
  const all = [...uses.values()];
  return {
    app: specOf(revision, services, all.flatMap(use => (use.kind === 'volume' ? [use.volume] : [])).sort(byName)),
    pins: {
      configs: all.flatMap(use => (use.kind === 'config' ? [use.pin] : [])).sort(byName),
      secrets: all.flatMap(use => (use.kind === 'secret' ? [use.pin] : [])).sort(byName),
    },
  };
}

type Use =
  | { readonly kind: 'config'; readonly pin: ContentPins['configs'][number] }
  | { readonly kind: 'secret'; readonly pin: ContentPins['secrets'][number] }
  | { readonly kind: 'volume'; readonly volume: VolumeSpec };

/** What the service mounts of what its App shares. */
function usesOf({ spec, pins, volumes }: Pick<Service, 'spec' | 'pins' | 'volumes'>): readonly { readonly key: string; readonly use: Use }[] {
  const containers = containersOf(spec);
  const mounts = (kind: 'configs' | 'secrets', name: string): boolean => containers.some(container => container[kind].some(mount => mount.source === name));
  return [
    ...pins.configs.filter(pin => mounts('configs', pin.name)).map(pin => ({ key: `config ${pin.name}`, use: { kind: 'config', pin } as const })),
    ...pins.secrets.filter(pin => mounts('secrets', pin.name)).map(pin => ({ key: `secret ${pin.name}`, use: { kind: 'secret', pin } as const })),
    ...volumes.filter(volume => containers.some(container => container.volumes.some(mount => mount.kind === 'volume' && mount.source === volume.name)))
      .map(volume => ({ key: `volume ${volume.name}`, use: { kind: 'volume', volume } as const })),
  ];
}

function keepReplicas(undone: UndoneSpec, now: CurrentService | undefined): ServiceSpec {
  const { spec } = undone;
  const isScaled = now !== undefined && !now.service.isDeleting && now.service.spec.kind === spec.kind;
  return isScaled ? withReplicas(spec, replicasKeptByUndo(now.service, now.status, undone)) : spec;
}

function specOf({ app }: Revision, services: readonly ServiceSpec[], volumes: readonly VolumeSpec[]): AppSpec {
  const [namespace = '', name = ''] = app.split('/');
  return { namespace, name, services, configs: [], secrets: [], volumes };
}

function byName(left: { readonly name: string }, right: { readonly name: string }): number {
  return left.name < right.name ? -1 : 1;
}
