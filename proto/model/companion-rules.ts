/** What must hold of a service's init containers and sidecars. */
import type { AppSpec } from './app.ts';
import { companionPath } from './companion.ts';
import { checkContainer } from './container-rules.ts';
import type { Violation } from './errors.ts';
import { isLabel } from './ids.ts';
import { quoted } from './printable.ts';
import type { CompanionSpec, ServiceSpec } from './service.ts';

/** Each is a process tree of its own with a monitor: more is a service of its own. */
export const MAX_COMPANIONS = 16;

export function checkCompanions(service: ServiceSpec, app: AppSpec, path: string): readonly Violation[] {
  const companions = service.companions ?? [];
  const order = companions.map(({ role }) => role);
  const at = (index: number): string => companionPath(path, companions, index);
  return [
    ...(companions.length > MAX_COMPANIONS ? [{ path: at(MAX_COMPANIONS), message: `is one too many: at most ${String(MAX_COMPANIONS)} init containers and sidecars together` }] : []),
    ...(order.lastIndexOf('init') > order.indexOf('sidecar') && order.includes('sidecar')
      ? [{ path: at(order.lastIndexOf('init')), message: 'must come before the sidecars: they start after the init containers' }] : []),
    ...companions.flatMap((companion, index) => [
      ...checkName(companion, { service: service.name, earlier: companions.slice(0, index), path: `${at(index)}.name` }),
      ...checkShape(companion, service, at(index)),
      ...checkContainer(companion.container, app, at(index)),
      ...(companion.container.deviceRequests.length === 0 ? [] : [{ path: `${at(index)}.resources.requests.devices`, message: 'only the service itself requests devices' }]),
    ]),
  ];
}

function checkName({ name }: CompanionSpec, place: { readonly service: string; readonly earlier: readonly CompanionSpec[]; readonly path: string }): readonly Violation[] {
  const { path, service, earlier } = place;
  if (!isLabel(name)) {
    return [{ path, message: `${name === '' ? 'required' : `${quoted(name)} is not an RFC 1123 label`}: at most 63 of a-z, 0-9 and -, a letter or digit at both ends` }];
  }
  if (name === service) {
    return [{ path, message: `${quoted(name)} is the name of the service, which is its main container's` }];
  }
  const twin = earlier.findIndex(other => other.name === name);
  return twin < 0 ? [] : [{ path, message: `${quoted(name)} is already the name of ${companionPath('', earlier, twin).slice(1)}` }];
}

/** What a task has once is the main container's. */
function checkShape({ container }: CompanionSpec, service: ServiceSpec, path: string): readonly Violation[] {
  const foreign = [
    ['ports', container.ports.length > 0], ['healthcheck', container.healthcheck !== undefined], ['tty', container.tty], ['stdin_open', container.stdin],
  ] as const;
  return [
    ...foreign.flatMap(([key, isSet]) => (isSet ? [{ path: `${path}.${key}`, message: 'only the main container has this' }] : [])),
    ...(container.security.profile === service.container.security.profile ? []
      : [{ path: `${path}.security.profile`, message: `must be the service's: ${service.container.security.profile}` }]),
    ...(container.runtime === service.container.runtime ? [] : [{ path: `${path}.runtime`, message: `must be the service's: ${service.container.runtime}` }]),
  ];
}
