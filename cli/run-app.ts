/** `run`'s flags -> the App of one job that it is. */
import { readApp } from '#model/app-schema.ts';
import type { AppSpec } from '#model/app.ts';
import type { Violation } from '#model/errors.ts';
import type { TerminalSize } from '#model/tunnel.ts';
import { fromPlain } from '#model/raw-value.ts';

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
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
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
  const limits = optional({ cpus: wish.cpus, memory: wish.memory });
  const declared = wish.volumes.map(volume => volume.split(':')[0] ?? '').filter(name => !/[/.~]/.test(name));
  const service = {
    kind: 'job',
    image: wish.image,
    ...(wish.command.length === 0 ? {} : { command: wish.command }),
    ...optional({ entrypoint: wish.entrypoint, working_dir: wish.workingDir, hostname: wish.hostname }),
    environment: Object.fromEntries(wish.environment.map(({ name, value }) => [name, value])),
    ports: wish.ports,
    volumes: wish.volumes,
    tty: wish.tty,
    stdin_open: wish.stdin,
    init: wish.init,
    job: { retries: 0 },
    ...(Object.keys(limits).length === 0 ? {} : { resources: { limits } }),
    ...(wish.user === undefined ? {} : { security: { user: wish.user } }),
    ...(wish.node === undefined ? {} : { placement: { require: [`node == ${wish.node}`] } }),
  };
  const plain = {
    apiVersion: 'gantry/v1', kind: 'App', metadata: { name: wish.name, namespace: wish.namespace },
    services: { [RUN_SERVICE]: service }, volumes: Object.fromEntries(declared.map(name => [name, {}])),
  };
  const read = readApp(fromPlain(plain), { defaultNamespace: wish.namespace, contents: new Map() });
  return read.kind === 'app' && wish.size !== undefined ? { kind: 'app', app: withConsoleSize(read.app, wish.size) } : read;
}

function withConsoleSize(app: AppSpec, consoleSize: TerminalSize): AppSpec {
  return { ...app, services: app.services.map(service => ({ ...service, container: { ...service.container, consoleSize } })) };
}

function optional(fields: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
