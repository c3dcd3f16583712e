import { parseArgs } from 'node:util';
import { isIPv4 } from 'node:net';
import { splitAddress } from '#kit/address-parse.ts';
import { joinRepeats, parseOption } from '#kit/option-parse.ts';
import { isDeviceName } from '#model/device-rules.ts';
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import type { NodeId } from '#model/ids.ts';
import { findPrefixProblem, isCleanHostPath } from '#model/namespace.ts';
import { formatPortRange, mergePortRanges, parsePortRange } from '#model/port-range.ts';
import { parseCpu, parseDuration, parseMemory } from '#model/quantity.ts';
import type { Resources } from '#model/resources.ts';
import { SNAPSHOTTER_SETTINGS } from './snapshot/driver-choice.ts';
import type { SnapshotterSetting } from './snapshot/driver-choice.ts';
import { REGISTRY_OPTIONS, parseRegistrySettings } from '#registry/registry-settings-parse.ts';
import type { RegistrySettings } from '#registry/registry-settings-parse.ts';

export interface AgentConfig {
  readonly node: NodeId;
  /** `host:port` of each controller to dial first; later the controllers tell. */
  readonly controllers: readonly string[];
  readonly joinToken?: string;
  readonly configDir: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly scope: string;
  /** Absent: the address of the machine's default route. */
  readonly underlayAddress?: string;
  /** Absent: what the machine has, less a reserve. */
  readonly capacity?: Resources;
  readonly labels: ReadonlyMap<string, string>;
  readonly userNamespaceBase: number;
  readonly poolSize: number;
  readonly vxlanId: number;
  readonly vxlanPort: number;
  /** TCP ports of Gantry's own processes, as numbers and ranges that do not overlap. */
  readonly managementPorts: readonly string[];
  /** Links of other software whose traffic this machine forwards as well. */
  readonly forwardLinks: readonly string[];
  readonly metricsListen: string;
  readonly isMetricsPlain: boolean;
  readonly natsServers: readonly string[];
  readonly registryCaFile?: string;
  readonly registries: RegistrySettings;
  /** Layers fetched and unpacked at once. */
  readonly pullWorkers?: number;
  /** An image that no task needs goes after this long. */
  readonly imageUnusedMs: number;
  /** Per cent of the images' disk that may be used before images that no task needs go. */
  readonly imageDiskPercent: number;
  readonly defaultResolvers: readonly string[];
  readonly bindPrefixes: readonly string[];
  readonly devicePaths: readonly string[];
  /** Device nodes of each unit, by the unit's id `NAME#INDEX`, in the order given. */
  readonly deviceUnits: ReadonlyMap<string, readonly string[]>;
  readonly allowsPrivileged: boolean;
  /** Longest silence of a registry within a blob. */
  readonly pullStallMs: number;
  readonly snapshotter: SnapshotterSetting;
  readonly logLevel: string;
}

interface Option {
  readonly value?: string;
  readonly fallback?: string;
  readonly meaning: string;
}

/** Every option of gantry-agent; the README's table says the same. */
export const AGENT_OPTIONS = {
  'node': { value: 'NAME', meaning: 'name of this node, an RFC 1123 label' },
  'controllers': { value: 'HOST:PORT,...', fallback: '', meaning: 'controllers to dial first' },
  'join': { value: 'TOKEN', meaning: 'join the cluster with this token, once; ignored when the node has a certificate' },
  'config-dir': { value: 'DIR', fallback: '/etc/gantry', meaning: 'certificate, key and CA of the node' },
  'state-dir': { value: 'DIR', fallback: '/var/lib/gantry', meaning: 'images, records, volumes, logs' },
  'run-dir': { value: 'DIR', fallback: '/run/gantry', meaning: 'data that does not survive a reboot' },
  'scope': { value: 'LABEL', fallback: 'gantry', meaning: 'prefix of links, tables and control groups; keeps agents on one machine apart' },
  'underlay-address': { value: 'IPV4', meaning: 'address at which other nodes reach this one; default: the address of the default route' },
  'capacity': { value: 'cpu=4,memory=7Gi', meaning: 'resources for tasks, also with disk=100Gi; default: those of the machine without a reserve' },
  'labels': { value: 'NAME=VALUE,...', fallback: '', meaning: 'labels of the node' },
  'userns-base': { value: 'ID', fallback: '1048576', meaning: 'first host id of user namespaces' },
  'pool': { value: 'COUNT', fallback: '16', meaning: 'number of ready network slots' },
  'vxlan-id': { value: 'ID', fallback: '7400', meaning: 'vxlan network of the cluster' },
  'vxlan-port': { value: 'PORT', fallback: '4789', meaning: 'UDP port of vxlan' },
  'management-ports': { value: 'PORT,FROM-TO,...', fallback: '7400-7403,7410-7412', meaning: 'TCP ports of Gantry on nodes and on the hosts of controllers; closed to tasks' },
  'forward-links': { value: 'LINK,...', fallback: '', meaning: 'links of other software whose traffic this machine forwards, such as docker0 or br-*; empty: none' },
  'metrics-listen': { value: 'HOST:PORT', fallback: '', meaning: 'address of /metrics; empty: none' },
  'metrics-plain': { meaning: 'serve /metrics without TLS' },
  'nats': { value: 'HOST:PORT,...', fallback: '', meaning: 'NATS servers: closed to tasks; the agent itself does not connect to them' },
  ...REGISTRY_OPTIONS,
  'default-resolvers': { value: 'IPV4,...', fallback: '', meaning: 'DNS servers for names outside the cluster; empty: those of the node' },
  'bind-prefixes': { value: 'DIR,...', fallback: '', meaning: 'host directories that tasks may bind' },
  'device-paths': { value: 'PATH,...', fallback: '', meaning: 'device nodes that services may name' },
  'devices': { value: 'NAME=PATH+PATH,...', fallback: '', meaning: 'units of named devices that services may request; each entry of a NAME adds one unit' },
  'allow-privileged': { meaning: 'run services of profile privileged' },
  'pull-stall': { value: 'DURATION', fallback: '60s', meaning: 'longest time a registry may send almost nothing of a layer' },
  'snapshotter': { value: 'DRIVER', fallback: 'auto', meaning: 'driver of root file systems: overlay, btrfs or vfs; auto uses the first that works on the state directory' },
  'pull-workers': { value: 'COUNT', meaning: 'number of layers that are fetched and unpacked at the same time; default: two per core' },
  'image-unused': { value: 'DURATION', fallback: '24h', meaning: 'time after which an unused image is deleted' },
  'image-disk': { value: 'PERCENT', fallback: '85', meaning: 'disk usage above which unused images are deleted, the longest unused first' },
  'log-level': { value: 'LEVEL', fallback: 'info', meaning: 'debug, info, warn, error or silent' },
} as const satisfies Readonly<Record<string, Option>>;

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
/** Longest scope: links are SCOPE plus four characters, and IFNAMSIZ is 16 with the zero. */
const SCOPE = /^[a-z][a-z0-9-]{0,10}$/;

/** At most 15 characters, as the kernel allows; what it allows beyond these would need quoting in rules. */
const LINK = /^[a-zA-Z0-9._-]{1,15}\*?$/;

type Values = Readonly<Record<string, string | boolean | undefined>>;

/** What the arguments say. @throws ClusterError INVALID_ARGUMENT that names the option */
export function parseAgentConfig(args: readonly string[]): AgentConfig {
  const values = parseValues(args);
  const joinToken = text(values, 'join');
  const underlayAddress = text(values, 'underlay-address');
  const capacity = text(values, 'capacity');
  const registryCaFile = text(values, 'registry-ca');
  return {
    node: parseNode(text(values, 'node')),
    controllers: list(values, 'controllers'),
    configDir: directory(values, 'config-dir'),
    stateDir: directory(values, 'state-dir'),
    runDir: directory(values, 'run-dir'),
    scope: matching(values, 'scope', SCOPE, '1 to 11 of a-z 0-9 -, beginning with a letter'),
    labels: parseLabels(list(values, 'labels')),
    userNamespaceBase: integer(values, 'userns-base', 65_536, 4_294_901_760),
    poolSize: integer(values, 'pool', 0, 250),
    vxlanId: integer(values, 'vxlan-id', 1, 16_777_215),
    vxlanPort: integer(values, 'vxlan-port', 1, 65_535),
    managementPorts: portRanges(values, 'management-ports'),
    forwardLinks: list(values, 'forward-links').map(link => requireLink(link)),
    metricsListen: optionalAddress(values, 'metrics-listen'),
    isMetricsPlain: values['metrics-plain'] === true,
    natsServers: list(values, 'nats').map(server => server.replace(/^(?:tls|nats):\/\//, '')),
    registries: parseRegistrySettings({
      'plain-registries': text(values, 'plain-registries') ?? '', 'registry-mirrors': text(values, 'registry-mirrors') ?? '', 'token-hosts': text(values, 'token-hosts') ?? '',
    }),
    imageUnusedMs: duration(values, 'image-unused'),
    imageDiskPercent: integer(values, 'image-disk', 1, 100),
    defaultResolvers: list(values, 'default-resolvers').map(address => ipv4('default-resolvers', address)),
    bindPrefixes: cleanPaths(values, 'bind-prefixes'),
    devicePaths: cleanPaths(values, 'device-paths'),
    deviceUnits: parseDeviceUnits(list(values, 'devices')),
    allowsPrivileged: values['allow-privileged'] === true,
    pullStallMs: duration(values, 'pull-stall'),
    snapshotter: oneOf(values, 'snapshotter', SNAPSHOTTER_SETTINGS),
    logLevel: oneOf(values, 'log-level', LOG_LEVELS),
    ...(joinToken === undefined ? {} : { joinToken }),
    ...(underlayAddress === undefined ? {} : { underlayAddress: ipv4('underlay-address', underlayAddress) }),
    ...(capacity === undefined ? {} : { capacity: parseCapacity(capacity) }),
    ...(registryCaFile === undefined ? {} : { registryCaFile }),
    ...(text(values, 'pull-workers') === undefined ? {} : { pullWorkers: integer(values, 'pull-workers', 1, 64) }),
  };
}

/** How others reach what listens on `listen`: every address of the machine is said as the one the other nodes know. */
export function reachableAddress(listen: string, underlayAddress: string): string {
  return listen.replace(/^(?:0\.0\.0\.0|\[::\]):/, `${underlayAddress}:`);
}

/** One line an option. */
export function agentUsage(): string {
  const lines = Object.entries<Option>(AGENT_OPTIONS).map(([name, option]) => {
    const fallback = option.fallback === undefined || option.fallback === '' ? '' : ` (default ${option.fallback})`;
    return `  ${`--${name} ${option.value ?? ''}`.padEnd(38)} ${option.meaning}${fallback}`;
  });
  return `usage: gantry-agent [run|leave] OPTIONS\n${lines.join('\n')}\n`;
}

function parseValues(args: readonly string[]): Values {
  const options = Object.fromEntries(Object.entries<Option>(AGENT_OPTIONS).map(([name, option]) => [
    name, parseOption(option),
  ]));
  try {
    return joinRepeats(parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values);
  } catch (cause) {
    throw new ClusterError('INVALID_ARGUMENT', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function parseNode(name: string | undefined): NodeId {
  try {
    return parseNodeId(name ?? '');
  } catch (cause) {
    throw refusal('node', name ?? '', 'an RFC 1123 label', cause);
  }
}

function parseCapacity(given: string): Resources {
  const parts = new Map(given.split(',').map(part => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]));
  const [cpu, memory, disk] = [parseCpu(parts.get('cpu') ?? ''), parseMemory(parts.get('memory') ?? ''), parseMemory(parts.get('disk') ?? '')];
  const hasDisk = parts.has('disk');
  if ('problem' in cpu || 'problem' in memory || (hasDisk && 'problem' in disk) || parts.size !== (hasDisk ? 3 : 2)) {
    throw refusal('capacity', given, 'cpu=N,memory=SIZE or cpu=N,memory=SIZE,disk=SIZE');
  }
  return { milliCpu: cpu.value, memoryBytes: memory.value, ...('value' in disk ? { diskBytes: disk.value } : {}) };
}

function parseLabels(entries: readonly string[]): ReadonlyMap<string, string> {
  return new Map(entries.map(entry => {
    const equals = entry.indexOf('=');
    if (equals < 1) {
      throw refusal('labels', entry, 'NAME=VALUE');
    }
    return [entry.slice(0, equals), entry.slice(equals + 1)] as const;
  }));
}

function text(values: Values, name: keyof typeof AGENT_OPTIONS): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

function list(values: Values, name: keyof typeof AGENT_OPTIONS): readonly string[] {
  return (text(values, name) ?? '').split(',').map(part => part.trim()).filter(part => part !== '');
}

function directory(values: Values, name: keyof typeof AGENT_OPTIONS): string {
  return matching(values, name, /^\/[^\0]*$/, 'an absolute path');
}

function matching(values: Values, name: keyof typeof AGENT_OPTIONS, rule: RegExp, wanted: string): string {
  const value = text(values, name) ?? '';
  if (!rule.test(value)) {
    throw refusal(name, value, wanted);
  }
  return value;
}

/** @throws ClusterError INVALID_ARGUMENT naming the entry that is no port and no range */
function portRanges(values: Values, name: keyof typeof AGENT_OPTIONS): readonly string[] {
  const ranges = list(values, name).map(entry => {
    const range = parsePortRange(entry);
    if (range === undefined) throw refusal(name, entry, 'a port or a range of ports in 1..65535, such as 7400 or 7400-7403');
    return range;
  });
  return mergePortRanges(ranges).map(formatPortRange);
}

function requireLink(link: string): string {
  if (!LINK.test(link)) throw refusal('forward-links', link, 'the name of a link, such as docker0, or its beginning, such as br-*');
  return link;
}

function optionalAddress(values: Values, name: keyof typeof AGENT_OPTIONS): string {
  const value = text(values, name) ?? '';
  try {
    if (value !== '') splitAddress(value);
    return value;
  } catch (cause) {
    throw refusal(name, value, 'HOST:PORT', cause);
  }
}

function cleanPaths(values: Values, name: 'bind-prefixes' | 'device-paths'): readonly string[] {
  const paths = list(values, name);
  const problem = findPrefixProblem(paths);
  if (problem !== undefined) {
    throw refusal(name, paths.join(','), 'a list of clean absolute paths', new Error(problem));
  }
  return paths;
}

/** `nvidia.com/gpu=/dev/nvidia0+/dev/nvidiactl`: one unit each. */
function parseDeviceUnits(entries: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const counts = new Map<string, number>();
  return new Map(entries.map(entry => {
    const equals = entry.indexOf('=');
    const name = entry.slice(0, Math.max(0, equals));
    const paths = entry.slice(equals + 1).split('+');
    if (!isDeviceName(name) || paths.some(path => !isCleanHostPath(path) || !path.startsWith('/dev/'))) {
      throw refusal('devices', entry, 'NAME=/dev/PATH, such as nvidia.com/gpu=/dev/nvidia0+/dev/nvidiactl');
    }
    const index = counts.get(name) ?? 0;
    counts.set(name, index + 1);
    return [`${name}#${String(index)}`, paths];
  }));
}

function duration(values: Values, name: keyof typeof AGENT_OPTIONS): number {
  const given = text(values, name) ?? '';
  const parsed = parseDuration(given);
  if ('problem' in parsed || parsed.value < 1_000) {
    throw refusal(name, given, 'a duration of at least 1s');
  }
  return parsed.value;
}

function integer(values: Values, name: keyof typeof AGENT_OPTIONS, lowest: number, highest: number): number {
  const value = text(values, name) ?? '';
  const number = Number(value);
  if (!/^[0-9]+$/.test(value) || number < lowest || number > highest) {
    throw refusal(name, value, `a number in ${String(lowest)}..${String(highest)}`);
  }
  return number;
}

function oneOf<Word extends string>(values: Values, name: keyof typeof AGENT_OPTIONS, allowed: readonly Word[]): Word {
  const value = text(values, name) ?? '';
  const found = allowed.find(word => word === value);
  if (found === undefined) {
    throw refusal(name, value, `one of ${allowed.join(', ')}`);
  }
  return found;
}

function ipv4(name: keyof typeof AGENT_OPTIONS, value: string): string {
  if (!isIPv4(value)) {
    throw refusal(name, value, 'an IPv4 address');
  }
  return value;
}

function refusal(name: keyof typeof AGENT_OPTIONS, given: string, wanted: string, cause?: unknown): ClusterError {
  return new ClusterError('INVALID_ARGUMENT', `--${name} ${JSON.stringify(given)} is not ${wanted}`, { cause });
}
