/** What must hold of an AppSpec, whoever made it: the CLI's reader and the controller ask the same question. */
import { checkAffinityCircles } from './affinity-rules.ts';
import type { AppSpec, VolumeSpec } from './app.ts';
import type { Violation } from './errors.ts';
import { isLabel } from './ids.ts';
import { quoted } from './printable.ts';
import { checkService } from './service-rules.ts';
import type { ServiceSpec } from './service.ts';

/** Limits of reliability 10. */
const MAX_SERVICES = 100;
const MAX_CONTENT_BYTES = 512 * 1024;
const MAX_APP_BYTES = 512 * 1024;

/** What is wrong with the name and the namespace of an App. */
export function checkAppName(app: Pick<AppSpec, 'namespace' | 'name'>): readonly Violation[] {
  return [...checkName(app.name, 'metadata.name'), ...checkName(app.namespace, 'metadata.namespace')];
}

/** Everything wrong with `app`, in the order of its fields; names of a mapping stand in `key`. Empty when it may be stored. */
export function checkAppSpec(app: AppSpec): readonly Violation[] {
  return [
    ...checkAppName(app),
    ...checkKeys(app.services, 'services'),
    ...checkCount(app),
    ...app.services.flatMap(service => checkService(service, app)),
    ...checkIngressPorts(app.services),
    ...checkCycles(app.services),
    ...checkAffinityCircles(app),
    ...checkKeys(app.configs, 'configs'),
    ...app.configs.flatMap(config => checkContent(config.content, `configs.${config.name}`)),
    ...checkKeys(app.secrets, 'secrets'),
    ...app.secrets.flatMap(secret => (secret.kind === 'content' ? checkContent(secret.content, `secrets.${secret.name}`) : [])),
    ...checkKeys(app.volumes, 'volumes'),
    ...checkVolumePlaces(app.volumes),
    ...app.volumes.filter(volume => (volume.sizeBytes ?? 1) <= 0).map(volume => ({ path: `volumes.${volume.name}.size`, message: 'must be > 0' })),
    ...checkSize(app),
  ];
}

/** What a name that is no label is told. */
export function describeLabelProblem(name: string): string {
  const what = name === '' ? 'required' : `${quoted(name)} is not an RFC 1123 label`;
  return `${what}: at most 63 of a-z, 0-9 and -, a letter or digit at both ends`;
}

function checkName(name: string, path: string): readonly Violation[] {
  return isLabel(name) ? [] : [{ path, message: describeLabelProblem(name) }];
}

function checkKeys(items: readonly { readonly name: string }[], path: string): readonly Violation[] {
  const seen = new Set<string>();
  return items.flatMap(({ name }) => {
    const isTwice = seen.has(name);
    seen.add(name);
    if (isTwice) {
      return [{ path, key: name, message: `${quoted(name)} is declared twice` }];
    }
    return isLabel(name) ? [] : [{ path, key: name, message: describeLabelProblem(name) }];
  });
}

function checkCount(app: AppSpec): readonly Violation[] {
  if (app.services.length === 0) {
    return [{ path: 'services', message: 'required: an App has at least one service' }];
  }
  return app.services.length <= MAX_SERVICES ? []
    : [{ path: 'services', message: `an App has at most ${String(MAX_SERVICES)} services, this one ${String(app.services.length)}` }];
}

function checkContent(content: Uint8Array, path: string): readonly Violation[] {
  return content.byteLength <= MAX_CONTENT_BYTES ? []
    : [{ path, message: `is ${String(content.byteLength)} bytes; at most ${String(MAX_CONTENT_BYTES)} (512 KiB)` }];
}

/** Contents are blobs of their own and do not count. */
function checkSize(app: AppSpec): readonly Violation[] {
  const bytes = JSON.stringify([app.services, app.volumes]).length;
  return bytes <= MAX_APP_BYTES ? [] : [{ path: '', message: `the App is about ${String(bytes)} bytes; at most ${String(MAX_APP_BYTES)} (512 KiB)` }];
}

/** Two volumes cannot have one place on a node. */
function checkVolumePlaces(volumes: readonly VolumeSpec[]): readonly Violation[] {
  return volumes.flatMap(volume => {
    const message = volume.perReplica ? undefined : findVolumeClash(volume, volumes);
    return message === undefined ? [] : [{ path: 'volumes', key: volume.name, message }];
  });
}

/**
 * Why `volume` would share its place with one of `others`, or undefined. A volume of a namespace has the place of its name, a `per_replica`
 * one `NAME-SLOT` for each replica: `data-0` is the place of slot 0 of `data`.
 */
export function findVolumeClash(volume: VolumeSpec, others: readonly VolumeSpec[]): string | undefined {
  const clash = others.find(other => (other.perReplica && isSlotOf(volume, other)) || (volume.perReplica && isSlotOf(other, volume)));
  return clash === undefined ? undefined : `${quoted(volume.name)} has the place of a replica's volume: ${quoted(clash.name)} is ${clash.perReplica ? 'per_replica' : 'taken'} already; choose another name`;
}

function isSlotOf(volume: VolumeSpec, perReplica: VolumeSpec): boolean {
  return !volume.perReplica && volume.name.startsWith(`${perReplica.name}-`) && /^(?:0|[1-9]\d*)$/.test(volume.name.slice(perReplica.name.length + 1));
}

/** An ingress port is the whole cluster's: no other service of the App has it, in whatever mode. */
function checkIngressPorts(services: readonly ServiceSpec[]): readonly Violation[] {
  const owners = new Map<string, { readonly service: string; readonly isIngress: boolean }>();
  return services.flatMap(service => service.container.ports.flatMap((port, index) => {
    if (port.published === undefined) {
      return [];
    }
    const key = `${String(port.published)}/${port.protocol}`;
    const isIngress = port.mode === 'ingress';
    const owner = owners.get(key) ?? { service: service.name, isIngress };
    owners.set(key, { ...owner, isIngress: owner.isIngress || isIngress });
    const isClash = owner.service !== service.name && (owner.isIngress || isIngress);
    const path = `services.${service.name}.ports[${String(index)}].published`;
    return isClash ? [{ path, message: `port ${key} is already published by service ${quoted(owner.service)}` }] : [];
  }));
}

/** One complaint a cycle, at its first service by name. */
function checkCycles(services: readonly ServiceSpec[]): readonly Violation[] {
  const byName = new Map(services.map(service => [service.name, service]));
  const settled = new Set<string>();
  const violations: Violation[] = [];
  const visit = (name: string, trail: readonly string[]): void => {
    const start = trail.indexOf(name);
    if (start >= 0) {
      const cycle = [...trail.slice(start), name];
      violations.push({ path: `services.${name}.depends_on`, message: `cycle: ${cycle.join(' -> ')}` });
      return;
    }
    if (settled.has(name)) {
      return;
    }
    for (const { service } of byName.get(name)?.dependsOn ?? []) {
      visit(service, [...trail, name]);
    }
    settled.add(name);
  };
  for (const service of services) {
    visit(service.name, []);
  }
  return violations.filter(violation => !violation.message.match(/^cycle: (\S+) -> \1$/));
}
