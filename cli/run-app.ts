/** `run`'s flags -> the App of one job that it is. */
import { readApp } from '#model/app-schema.ts';
import type { AppSpec } from '#model/app.ts';
import type { Violation } from '#model/errors.ts';
import type { NamedValue } from '#model/pair-schema.ts';
import { fromPlain } from '#model/raw-value.ts';
import { BASELINE_CAPABILITIES } from '#model/security-rules.ts';
import type { TerminalSize } from '#model/tunnel.ts';

export interface RunWish {
  readonly namespace: string;
  /** Of the App; its one service is `run`. */
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  /** Of the person's terminal. */
  readonly size?: TerminalSize;
  readonly init: boolean;
  readonly environment: readonly NamedValue[];
  readonly labels: readonly NamedValue[];
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  /** `/dev/fuse`, `/dev/fuse:/dev/mine:rw`, or units of a device that nodes offer: `nvidia.com/gpu=2`. */
  readonly devices: readonly string[];
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly isPrivileged: boolean;
  readonly isHostNetwork: boolean;
  readonly node?: string;
  readonly cpus?: string;
  readonly memory?: string;
  readonly user?: string;
  readonly workingDir?: string;
  readonly entrypoint?: string;
  readonly hostname?: string;
}

/** The one service of a `run` App. */
const RUN_SERVICE = 'run';

export type RunApp = { readonly kind: 'app'; readonly app: AppSpec } | { readonly kind: 'violations'; readonly violations: readonly Violation[] };

/** A job that is tried once; everything else is a manifest's default. */
export function buildRunApp(wish: RunWish): RunApp {
  const declared = wish.volumes.map(volume => volume.split(':')[0] ?? '').filter(name => !/[/.~]/.test(name));
  const service = {
    kind: 'job',
    image: wish.image,
    ...(wish.command.length === 0 ? {} : { command: wish.command }),
    ...optional({ entrypoint: wish.entrypoint, working_dir: wish.workingDir, hostname: wish.hostname }),
    environment: mappingOf(wish.environment),
    labels: mappingOf(wish.labels),
    ports: wish.ports,
    volumes: wish.volumes,
    tty: wish.tty,
    stdin_open: wish.stdin,
    init: wish.init,
    job: { retries: 0 },
    devices: wish.devices.filter(device => !isUnits(device)),
    resources: {
      limits: optional({ cpus: wish.cpus, memory: wish.memory }),
      requests: { devices: Object.fromEntries(wish.devices.filter(isUnits).map(splitUnits)) },
    },
    security: securityOf(wish),
    ...(wish.node === undefined ? {} : { placement: { require: [`node == ${wish.node}`] } }),
  };
  const plain = {
    apiVersion: 'gantry/v1', kind: 'App', metadata: { name: wish.name, namespace: wish.namespace },
    services: { [RUN_SERVICE]: service }, volumes: Object.fromEntries(declared.map(name => [name, {}])),
  };
  const read = readApp(fromPlain(plain), { defaultNamespace: wish.namespace, contents: new Map() });
  return read.kind === 'app' && wish.size !== undefined ? { kind: 'app', app: withConsoleSize(read.app, wish.size) } : read;
}

/** The namespace and the node decide whether the profile that this needs is allowed. */
function securityOf({ user, isPrivileged, isHostNetwork, ...wish }: RunWish): Readonly<Record<string, unknown>> {
  const [added, dropped] = [wish.capAdd, wish.capDrop].map(names => names.map(name => name.toUpperCase().replace(/^CAP_/, '')));
  const capAdd = isPrivileged ? ['ALL'] : added ?? [];
  const needsProfile = isPrivileged || isHostNetwork || capAdd.some(name => !BASELINE_CAPABILITIES.some(one => one === name));
  return {
    ...optional({ user }),
    cap_add: capAdd, cap_drop: dropped,
    ...(needsProfile ? { profile: 'privileged' } : {}),
    ...(isPrivileged ? { seccomp: 'unconfined', no_new_privileges: false, userns: 'host' } : {}),
    ...(isHostNetwork ? { network: 'host', userns: 'host' } : {}),
  };
}

function isUnits(device: string): boolean {
  return !device.startsWith('/') && device.includes('=');
}

function splitUnits(device: string): readonly [name: string, units: string] {
  const equals = device.indexOf('=');
  return [device.slice(0, equals), device.slice(equals + 1)];
}

function mappingOf(pairs: readonly NamedValue[]): Readonly<Record<string, string>> {
  return Object.fromEntries(pairs.map(({ name, value }) => [name, value]));
}

function withConsoleSize(app: AppSpec, consoleSize: TerminalSize): AppSpec {
  return { ...app, services: app.services.map(service => ({ ...service, container: { ...service.container, consoleSize } })) };
}

function optional(fields: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
