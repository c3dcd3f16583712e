/** What must hold of an AppSpec, whoever made it: the CLI's reader and the controller ask the same question. */
import type { AppSpec } from './app.ts';
import type { Violation } from './errors.ts';
import { isLabel } from './ids.ts';
import { quoted } from './printable.ts';
import { checkService } from './service-rules.ts';
import type { ServiceSpec } from './service.ts';

/** Limits of reliability 10. */
const MAX_SERVICES = 100;
const MAX_CONTENT_BYTES = 512 * 1024;
const MAX_APP_BYTES = 512 * 1024;

/** Everything wrong with `app`, in the order of its fields; names of a mapping stand in `key`. Empty when it may be stored. */
export function checkAppSpec(app: AppSpec): readonly Violation[] {
  return [
    ...checkName(app.name, 'metadata.name'),
    ...checkName(app.namespace, 'metadata.namespace'),
    ...checkKeys(app.services, 'services'),
    ...checkCount(app),
    ...app.services.flatMap(service => checkService(service, app)),
    ...checkIngressPorts(app.services),
    ...checkCycles(app.services),
    ...checkKeys(app.configs, 'configs'),
    ...app.configs.flatMap(config => checkContent(config.content, `configs.${config.name}`)),
    ...checkKeys(app.secrets, 'secrets'),
    ...app.secrets.flatMap(secret => (secret.kind === 'content' ? checkContent(secret.content, `secrets.${secret.name}`) : [])),
    ...checkKeys(app.volumes, 'volumes'),
    ...app.volumes.filter(volume => (volume.sizeBytes ?? 1) <= 0).map(volume => ({ path: `volumes.${volume.name}.size`, message: 'must be > 0' })),
    ...checkSize(app),
  ];
}

/** What a name that is no label is told. */
export function describeLabelProblem(name: string): string {
  return `${quoted(name)} is not an RFC 1123 label: at most 63 of a-z, 0-9 and -, a letter or digit at both ends`;
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

/** An ingress port is the whole cluster's: two services of one App cannot share it. */
function checkIngressPorts(services: readonly ServiceSpec[]): readonly Violation[] {
  const owners = new Map<string, string>();
  return services.flatMap(service => service.container.ports.flatMap((port, index) => {
    if (port.published === undefined || port.mode !== 'ingress') {
      return [];
    }
    const key = `${String(port.published)}/${port.protocol}`;
    const owner = owners.get(key) ?? service.name;
    owners.set(key, owner);
    const path = `services.${service.name}.ports[${String(index)}].published`;
    return owner === service.name ? [] : [{ path, message: `port ${key} is already published by service ${quoted(owner)}` }];
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
