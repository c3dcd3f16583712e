/** `run`'s flags -> what is asked for; reads the files of `--env-file`. */
import { ClusterError } from '#model/errors.ts';
import type { NamedValue } from '#model/pair-schema.ts';
import { quoted } from '#model/printable.ts';
import { parseEnvFile } from '../env-file.ts';
import { DEFAULT_NAMESPACE, UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import type { RunWish } from '../run-app.ts';
import { readVariable } from './exec-flow.ts';

export interface RunFlags {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly rm?: boolean;
  readonly detach?: boolean;
  readonly init?: boolean;
  readonly name?: string;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly label?: readonly string[];
  readonly privileged?: boolean;
  readonly network?: string;
  readonly device?: readonly string[];
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly publish?: readonly string[];
  readonly volume?: readonly string[];
  readonly node?: string;
  readonly cpus?: string;
  readonly memory?: string;
  readonly user?: string;
  readonly workdir?: string;
  readonly entrypoint?: string;
  readonly hostname?: string;
}

/** What `run`'s flags ask for. @throws UsageError or ClusterError naming the flag */
export async function readWish(
  shell: Shell, image: string, command: readonly string[], flags: RunFlags,
): Promise<RunWish> {
  const size = flags.tty === true ? shell.terminal.size() : undefined;
  const { node, cpus, memory, user, workdir: workingDir, entrypoint, hostname } = flags;
  return {
    namespace: shell.options.namespace ?? DEFAULT_NAMESPACE,
    name: flags.name ?? `run-${shell.newRequestId().replaceAll('-', '').slice(0, 5)}`,
    image,
    command: command[0] === '--' ? command.slice(1) : command,
    tty: flags.tty ?? false,
    stdin: flags.interactive ?? false,
    ...(size === undefined ? {} : { size }),
    init: flags.init ?? false,
    environment: await readEnvironment(shell, flags),
    ...readRights(flags),
    ...readLists(flags),
    ...definedOnly({ node, cpus, memory, user, workingDir, entrypoint, hostname }),
  };
}

type Lists = Pick<RunWish, 'labels' | 'ports' | 'volumes' | 'devices'>;

function readLists({ label = [], publish = [], volume = [], device = [] }: RunFlags): Lists {
  return { labels: label.map(readLabel), ports: publish, volumes: volume, devices: device };
}

type Rights = Pick<RunWish, 'capAdd' | 'capDrop' | 'isPrivileged' | 'isHostNetwork'>;

function readRights({ capAdd = [], capDrop = [], privileged = false, network }: RunFlags): Rights {
  return { capAdd, capDrop, isPrivileged: privileged, isHostNetwork: readNetwork(network) === 'host' };
}

/**
 * Variables of `-e` come after those of files, and replace them.
 * @throws ClusterError INVALID_ARGUMENT with the line
 */
async function readEnvironment(shell: Shell, { envFile = [], env = [] }: RunFlags): Promise<readonly NamedValue[]> {
  const all: NamedValue[] = [];
  for (const file of envFile) {
    const text = new TextDecoder().decode(await shell.files.read(file));
    const { variables, badLines: [bad] } = parseEnvFile(text, shell.environment);
    if (bad !== undefined) {
      const at = `${file}:${String(bad)}`;
      throw new ClusterError('INVALID_ARGUMENT', `${at}: not a variable; write NAME=value, or NAME to pass on its value`);
    }
    all.push(...variables);
  }
  return [...all, ...env.map(pair => readVariable(pair, shell.environment))];
}

/** `NAME=value`; a name alone has an empty value, as docker's. */
function readLabel(pair: string): NamedValue {
  const equals = pair.indexOf('=');
  return equals < 0 ? { name: pair, value: '' } : { name: pair.slice(0, equals), value: pair.slice(equals + 1) };
}

/** @throws UsageError for a network that no container can join */
function readNetwork(name = 'bridge'): 'bridge' | 'host' {
  if (name === 'bridge' || name === 'default') {
    return 'bridge';
  }
  if (name === 'host') {
    return 'host';
  }
  const known = "bridge (the cluster's network, the default) or host (the network of the node)";
  throw new UsageError(`--network ${quoted(name)}: no such network; use ${known}`);
}

function definedOnly<Key extends string>(fields: Readonly<Record<Key, string | undefined>>): Readonly<Partial<Record<Key, string>>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Readonly<Partial<Record<Key, string>>>;
}
