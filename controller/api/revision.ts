/** What an apply makes of an App: the next Revision, its Services, what changed. */
import { createHash } from 'node:crypto';
import { containersOf } from '#model/companion.ts';
import type { App, AppSpec, ConfigSpec, ContentPins, Revision, Service, ServiceStatus, VolumeSpec } from '#model/app.ts';
import { appId, serviceId } from '#model/ids.ts';
import type { ServiceSpec } from '#model/service.ts';
import { keptScale } from '../autoscale/replica-scale.ts';

export interface RevisionInput {
  /** With every image pinned to a digest. */
  readonly app: AppSpec;
  /** Version of each secret the App names. */
  readonly secretVersions: ReadonlyMap<string, number>;
  readonly currentApp: App | undefined;
  /** Services of the App now, by name. */
  readonly currentServices: ReadonlyMap<string, Service>;
  /** Of these, by name. */
  readonly currentStatuses: ReadonlyMap<string, ServiceStatus>;
  /** Virtual IPs for new services, taken in order. */
  readonly freeVirtualIps: readonly string[];
  readonly nowMs: number;
  /** For `run` Apps. */
  readonly expireAfterEndMs?: number;
  /** Contents that are stored already: instead of those of `app`. */
  readonly pins?: ContentPins;
  /** What makes it, where it is no apply. */
  readonly cause?: string;
}

export type ServiceChange = 'created' | 'updated' | 'unchanged' | 'removed';

export interface RevisionDraft {
  readonly app: App;
  readonly revision: Revision;
  /** Services to write: created, updated, or removed (`isDeleting`). */
  readonly services: readonly Service[];
  readonly changes: readonly { readonly name: string; readonly change: ServiceChange; readonly revision: number }[];
  /** False: nothing to write. */
  readonly isChanged: boolean;
}

/** SHA-256 of a config's content in lower-case hex: the name of its blob. */
export function configSha256(config: ConfigSpec): string {
  return createHash('sha256').update(config.content).digest('hex');
}

/** Drafts the next Revision. Deterministic: services sorted by name, everything else from the input. */
export function draftRevision(input: RevisionInput): RevisionDraft {
  const { app, currentApp } = input;
  const id = appId(app.namespace, app.name);
  const number = (currentApp?.revision ?? 0) + 1;
  const pins: ContentPins = input.pins ?? {
    configs: app.configs.map(config => ({ name: config.name, sha256: configSha256(config) })),
    secrets: app.secrets.map(secret => ({ name: secret.name, version: input.secretVersions.get(secret.name) ?? 0 })),
  };
  const specs = [...app.services].sort(byName);
  const drafts = draftServices(specs, pins, number, input);
  const removed = [...input.currentServices.values()]
    .filter(service => !service.isDeleting && !specs.some(spec => spec.name === service.name)).sort(byName)
    .map(service => ({ ...service, revision: number, isDeleting: true, updatedAtMs: input.nowMs }));
  const changes = [
    ...drafts.map(({ service: { name }, change, revision }) => ({ name, change, revision })),
    ...removed.map(service => ({ name: service.name, change: 'removed' as const, revision: number })),
  ];
  return {
    app: {
      id, namespace: app.namespace, name: app.name, revision: number, isDeleting: false, deletesVolumes: false,
      createdAtMs: currentApp?.createdAtMs ?? input.nowMs, updatedAtMs: input.nowMs,
      ...(input.expireAfterEndMs === undefined ? {} : { expireAfterEndMs: input.expireAfterEndMs }),
    },
    revision: { app: id, number, services: specs, volumes: app.volumes, pins, createdAtMs: input.nowMs, ...(input.cause === undefined ? {} : { cause: input.cause }) },
    services: [...drafts.filter(draft => draft.change !== 'unchanged').map(draft => draft.service), ...removed],
    changes,
    isChanged: currentApp === undefined || currentApp.isDeleting || changes.some(one => one.change !== 'unchanged'),
  };
}

/**
 * Names what a task of the service is made of: its container with digest, the contents and volumes it uses, when it stops itself, the restart count.
 * Replicas, placement and update rules are not in it, nor are resources: they change without replacing a task.
 */
export function templateHash(spec: ServiceSpec, pins: ContentPins, volumes: readonly VolumeSpec[], restartCount: number): string {
  const containers = containersOf(spec);
  const { requests: _requests, limits: _limits, ...container } = spec.container;
  const used = {
    container,
    ...(spec.companions === undefined ? {} : { companions: spec.companions }),
    configs: pins.configs.filter(pin => containers.some(container => container.configs.some(mount => mount.source === pin.name))),
    secrets: pins.secrets.filter(pin => containers.some(container => container.secrets.some(mount => mount.source === pin.name))),
    volumes: volumes.filter(volume => containers.some(container => container.volumes.some(mount => mount.kind === 'volume' && mount.source === volume.name))),
    restartCount,
    ...(spec.onDisconnect.kind === 'exclusive' ? { stopAfterMs: spec.onDisconnect.stopAfterMs } : {}),
  };
  return createHash('sha256').update(canonicalJson(used)).digest('hex').slice(0, 16);
}

/** JSON with keys sorted at every level, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (part === null || typeof part !== 'object' || Array.isArray(part) ? part : inOrder(part)));
}

function inOrder(part: object): object {
  const keys = Object.keys(part);
  const isInOrder = keys.every((key, index) => index === 0 || (keys[index - 1] ?? '') < key);
  return isInOrder ? part : Object.fromEntries(keys.sort().map(key => [key, (part as Record<string, unknown>)[key]]));
}

function byName(left: { readonly name: string }, right: { readonly name: string }): number {
  return left.name < right.name ? -1 : 1;
}

function draftServices(
  specs: readonly ServiceSpec[], pins: ContentPins, number: number, input: RevisionInput,
): readonly { readonly service: Service; readonly change: ServiceChange; readonly revision: number }[] {
  const addresses = [...input.freeVirtualIps];
  return specs.map(spec => {
    const current = input.currentServices.get(spec.name);
    const restartCount = current?.restartCount ?? 0;
    const service: Service = {
      id: serviceId(input.app.namespace, input.app.name, spec.name),
      namespace: input.app.namespace,
      app: input.app.name,
      name: spec.name,
      revision: number,
      spec,
      pins,
      volumes: input.app.volumes,
      templateHash: templateHash(spec, pins, input.app.volumes, restartCount),
      virtualIp: current?.virtualIp ?? requireAddress(addresses),
      isDeleting: false,
      restartCount,
      createdAtMs: current?.createdAtMs ?? input.nowMs,
      updatedAtMs: input.nowMs,
      ...keptWish(current),
      ...keptScale(current, input.currentStatuses.get(spec.name)),
    };
    if (current === undefined) {
      return { service, change: 'created' as const, revision: number };
    }
    const isSame = !current.isDeleting && current.templateHash === service.templateHash && canonicalJson(current.spec) === canonicalJson(spec);
    return isSame ? { service, change: 'unchanged' as const, revision: current.revision } : { service, change: 'updated' as const, revision: number };
  });
}

/** A pause outlives the Revision; what was asked of the rollout before does not. */
export function keptWish(current: Service | undefined): Pick<Service, 'rollout'> {
  return current?.rollout?.isPaused === true ? { rollout: { isPaused: true, promotedSteps: 0, isAborted: false } } : {};
}

function requireAddress(addresses: string[]): string {
  const address = addresses.shift();
  if (address === undefined) {
    throw new RangeError('fewer virtual IPs were offered than services are new');
  }
  return address;
}

/** How many services of `app` need a new virtual IP. */
export function newServiceCount(app: AppSpec, currentServices: ReadonlyMap<string, Service>): number {
  return app.services.filter(spec => !currentServices.has(spec.name)).length;
}
