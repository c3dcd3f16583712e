/** What must hold of a service's init containers and sidecars. */
import type { AppSpec } from './app.ts';
import { companionPath } from './companion.ts';
import { checkContainer } from './container-rules.ts';
import type { Violation } from './errors.ts';
import { isLabel } from './ids.ts';
import { quoted } from './printable.ts';
import type { CompanionSpec, ContainerSpec, ServiceSpec } from './service.ts';

/** Each is a process tree of its own with a monitor: more is a service of its own. */
export const MAX_COMPANIONS = 16;

export function checkCompanions(service: ServiceSpec, app: AppSpec, path: string): readonly Violation[] {
  const companions = service.companions ?? [];
  const order = companions.map(({ role }) => role);
  const at = (index: number): string => companionPath(path, companions, index);
  return [
    ...checkJoined(service.container, companions, path),
    ...(companions.length > MAX_COMPANIONS ? [{ path: at(MAX_COMPANIONS), message: `is one too many: at most ${String(MAX_COMPANIONS)} init containers and sidecars together` }] : []),
    ...(order.lastIndexOf('init') > order.indexOf('sidecar') && order.includes('sidecar')
      ? [{ path: at(order.lastIndexOf('init')), message: 'must come before the sidecars: they start after the init containers' }] : []),
    ...companions.flatMap((companion, index) => [
      ...checkName(companion, { service: service.name, earlier: companions.slice(0, index), path: `${at(index)}.name` }),
      ...checkShape(companion, service, at(index)),
      ...checkContainer(companion.container, app, at(index)),
      ...checkJoined(companion.container, companions.slice(0, index), at(index)),
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

/** `earlier`: what runs before the container. */
function checkJoined({ security: { sidecarNamespaces = [] }, sysctls }: ContainerSpec, earlier: readonly CompanionSpec[], path: string): readonly Violation[] {
  return sidecarNamespaces.flatMap(({ namespace, sidecar }) => {
    const host = earlier.find(({ name, role }) => role === 'sidecar' && name === sidecar);
    const names = earlier.filter(({ role }) => role === 'sidecar').map(({ name }) => name).join(', ');
    const further = host?.container.security.sidecarNamespaces?.find(one => one.namespace === namespace);
    const isShared = host?.container.security.hostNamespaces.includes(namespace) === true;
    const problem = host === undefined ? `${quoted(sidecar)} is no sidecar that starts before this container; ${names === '' ? 'there is none' : `those that do: ${names}`}`
      : further === undefined ? isShared ? `sidecar ${sidecar} has the machine's: write host` : undefined : `sidecar ${sidecar} is itself in that of ${further.sidecar}: name that one`;
    const own = namespace === 'ipc' ? sysctls.filter(({ name }) => !name.startsWith('net.')) : [];
    return [
      ...(problem === undefined ? [] : [{ path: `${path}.security.${namespace}`, message: problem }]),
      ...own.map(({ name }) => ({ path: `${path}.sysctls`, key: name, message: `${quoted(name)} would be the sidecar's too: leave it out with ipc: sidecar:${sidecar}` })),
    ];
  });
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
