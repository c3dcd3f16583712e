import { isAbsolute } from 'node:path';
import { parseArgs } from 'node:util';
import { joinRepeats, parseOption } from '#kit/option-parse.ts';
import { ClusterError } from '#model/errors.ts';
import { isLabel } from '#model/ids.ts';
import { parseDuration } from '#model/quantity.ts';
import { PROMETHEUS_URL, isPrometheusUrl } from '#model/prometheus-url.ts';
import { parseReservedPorts } from '#model/reserved-port.ts';
import type { ReservedPorts } from '#model/reserved-port.ts';
import { PLACEMENT_POLICIES } from '#model/service.ts';
import type { PlacementPolicy } from '#model/service.ts';
import { TIMES_PRESETS } from '#model/times.ts';
import type { Times } from '#model/times.ts';
import { REGISTRY_OPTIONS, parseRegistrySettings } from '#registry/registry-settings-parse.ts';
import type { RegistrySettings } from '#registry/registry-settings-parse.ts';

export interface ControllerConfig {
  readonly id: string;
  /** `host:port` of the API, agents and other controllers. */
  readonly listen: string;
  readonly advertise: string;
  /** `host:port` of the join listener; empty: nobody can join here. */
  readonly joinListen: string;
  /** Where others reach it; absent without one. */
  readonly joinAdvertise?: string;
  /** Empty: no metrics. */
  readonly metricsListen: string;
  readonly metricsAdvertise: string;
  readonly isMetricsPlain: boolean;
  readonly etcdHosts: readonly string[];
  /** Absent: etcd is reached without TLS, which only a test's etcd on loopback should be. */
  readonly etcdTls?: { readonly caFile: string; readonly certificateFile: string; readonly keyFile: string };
  readonly natsServers: readonly string[];
  /** Absent: no service scales by a metric. */
  readonly prometheusUrl?: string;
  readonly configDir: string;
  readonly secretsKeyFile: string;
  readonly times: Times;
  /** Of the certificates of nodes. */
  readonly certificateLifeMs: number;
  readonly defaultRegistry: string;
  readonly defaultPolicy: PlacementPolicy;
  /** What no service may publish. */
  readonly reservedPorts: readonly ReservedPorts[];
  /** Earlier Revisions of each App that are kept. */
  readonly revisionHistoryLimit: number;
  readonly registryCaFile?: string;
  readonly registries: RegistrySettings;
  /** Absent: decisions are not recorded. */
  readonly recordFile?: string;
  readonly logLevel: string;
}

interface Option {
  readonly value?: string;
  readonly fallback?: string;
  readonly meaning: string;
}

/** Every option of gantry-controller; the README's table says the same. */
export const CONTROLLER_OPTIONS = {
  'id': { value: 'NAME', meaning: 'name of this controller, an RFC 1123 label' },
  'listen': { value: 'HOST:PORT', fallback: '0.0.0.0:7400', meaning: 'address for clusterctl, agents and other controllers' },
  'advertise': { value: 'HOST:PORT', meaning: 'address at which others reach --listen; default: --listen' },
  'join-listen': { value: 'HOST:PORT', fallback: '', meaning: 'address at which nodes join; empty: none' },
  'metrics-listen': { value: 'HOST:PORT', fallback: '', meaning: 'address of /metrics, /sd and /healthz; empty: none' },
  'metrics-advertise': { value: 'HOST:PORT', meaning: 'address at which Prometheus reaches --metrics-listen; default: --metrics-listen' },
  'metrics-plain': { meaning: 'serve metrics without TLS; loopback addresses only' },
  'etcd': { value: 'URL,...', fallback: 'https://127.0.0.1:7410', meaning: 'URLs of the members of etcd' },
  'etcd-ca': { value: 'FILE', meaning: 'PEM file with the CA of etcd' },
  'etcd-cert': { value: 'FILE', meaning: 'PEM file with the client certificate for etcd' },
  'etcd-key': { value: 'FILE', meaning: 'PEM file with the key of --etcd-cert' },
  'nats': { value: 'HOST:PORT,...', fallback: '', meaning: 'NATS servers for events and usage; empty: none' },
  'prometheus': { value: 'URL', meaning: 'Prometheus server for autoscaling by metrics, as http://HOST:PORT[/PATH]; without it, manifests with a metric are refused' },
  'config-dir': { value: 'DIR', fallback: '/etc/gantry', meaning: 'directory with certificate, key and CA of this controller' },
  'secrets-key': { value: 'FILE', meaning: 'file with the key that encrypts secrets, the same on all controllers; default: secrets.key in --config-dir' },
  'times': { value: 'PRESET', fallback: 'default', meaning: 'time-outs: default, or test for short ones' },
  'certificate-life': { value: 'DURATION', fallback: '24h', meaning: 'lifetime of the certificates of nodes and of this controller; they are renewed after two thirds of it' },
  'default-registry': { value: 'HOST:PORT', fallback: 'docker.io', meaning: 'registry of image references without a registry' },
  'placement-policy': { value: 'POLICY', fallback: 'spread', meaning: 'placement.policy of services without one: spread or binpack; the same on all controllers' },
  'reserved-ports': { value: 'PORT,FROM-TO/tcp,...', fallback: '22/tcp,53,4789/udp,7400-7403/tcp,7410-7412/tcp', meaning: 'ports of the nodes that services cannot publish, for tcp and udp if no protocol is named; the same on all controllers' },
  'revision-history-limit': { value: 'COUNT', fallback: '10', meaning: 'number of earlier revisions of each App that are kept for rollout undo, 0 to 1000, besides those in use; the same on all controllers' },
  ...REGISTRY_OPTIONS,
  'record': { value: 'FILE', meaning: 'file that records the inputs of each decision, for a replay; default: $GANTRY_RECORD' },
  'log-level': { value: 'LEVEL', fallback: 'info', meaning: 'debug, info, warn, error or silent' },
} as const satisfies Readonly<Record<string, Option>>;

type OptionName = keyof typeof CONTROLLER_OPTIONS;
type Values = Readonly<Partial<Record<OptionName, string | boolean>>>;

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];
const HOST_PORT = /^(?:\[[0-9a-fA-F:]+\]|[^\s:/[\]]+):([0-9]{1,5})$/;
const PORT = /:[0-9]{1,5}$/;
const EVERY_ADDRESS = /^(?:0\.0\.0\.0|\[::\]):/;
const COUNT = /^[0-9]{1,4}$/;
const MAX_HISTORY_LIMIT = 1_000;
const LOOPBACK = /^(?:127\.|localhost:|\[::1\])/;
const MAX_PORT = 65_535;
const MIN_CERTIFICATE_LIFE_MS = 10_000;

/** What the arguments say. @throws ClusterError INVALID_ARGUMENT that names the option */
export function parseControllerConfig(args: readonly string[]): ControllerConfig {
  const values = parseValues(args);
  const listen = hostPort('listen', text(values, 'listen'));
  const advertise = hostPort('advertise', text(values, 'advertise') ?? listen);
  const configDir = absolute('config-dir', text(values, 'config-dir'));
  const etcdTls = parseEtcdTls(values);
  const registryCaFile = text(values, 'registry-ca');
  const recordFile = text(values, 'record');
  return {
    id: checked('id', text(values, 'id'), isLabel, 'an RFC 1123 label'),
    listen,
    advertise,
    ...parseJoin(values, advertise),
    ...parseMetrics(values),
    etcdHosts: list(values, 'etcd').map(host => checked('etcd', host, isUrl, 'http:// or https:// addresses')),
    natsServers: list(values, 'nats'),
    configDir,
    secretsKeyFile: text(values, 'secrets-key') ?? `${configDir}/secrets.key`,
    times: TIMES_PRESETS[parsePreset(text(values, 'times'))],
    certificateLifeMs: parseLife(text(values, 'certificate-life')),
    defaultRegistry: text(values, 'default-registry') ?? '',
    defaultPolicy: parsePolicy(text(values, 'placement-policy')),
    reservedPorts: list(values, 'reserved-ports').map(entry => parseReserved(entry)),
    revisionHistoryLimit: Number(checked('revision-history-limit', text(values, 'revision-history-limit'), isHistoryLimit, 'a whole number from 0 to 1000')),
    registries: parseRegistrySettings({
      'plain-registries': text(values, 'plain-registries') ?? '', 'registry-mirrors': text(values, 'registry-mirrors') ?? '', 'token-hosts': text(values, 'token-hosts') ?? '',
    }),
    logLevel: checked('log-level', text(values, 'log-level'), level => LOG_LEVELS.includes(level), LOG_LEVELS.join(', ')),
    ...parsePrometheus(text(values, 'prometheus')),
    ...(etcdTls === undefined ? {} : { etcdTls }),
    ...(registryCaFile === undefined ? {} : { registryCaFile }),
    ...(recordFile === undefined ? {} : { recordFile: absolute('record', recordFile) }),
  };
}

/** One line an option. */
export function controllerUsage(): string {
  const lines = Object.entries<Option>(CONTROLLER_OPTIONS).map(([name, option]) => {
    const fallback = option.fallback === undefined || option.fallback === '' ? '' : ` (default ${option.fallback})`;
    return `  ${`--${name} ${option.value ?? ''}`.padEnd(32)} ${option.meaning}${fallback}`;
  });
  return `usage: gantry-controller OPTIONS\n${lines.join('\n')}\n`;
}

function parseValues(args: readonly string[]): Values {
  const options = Object.fromEntries(Object.entries<Option>(CONTROLLER_OPTIONS).map(([name, option]) => [
    name, parseOption(option),
  ]));
  try {
    return joinRepeats(parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values);
  } catch (cause) {
    throw new ClusterError('INVALID_ARGUMENT', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function parseMetrics(values: Values): Pick<ControllerConfig, 'metricsListen' | 'metricsAdvertise' | 'isMetricsPlain'> {
  const metricsListen = optionalHostPort(values, 'metrics-listen');
  const isMetricsPlain = values['metrics-plain'] === true;
  if (isMetricsPlain && metricsListen !== '' && !LOOPBACK.test(metricsListen)) {
    throw refusal('metrics-plain', metricsListen, 'a loopback address in --metrics-listen');
  }
  return { metricsListen, metricsAdvertise: text(values, 'metrics-advertise') ?? metricsListen, isMetricsPlain };
}

/** A listener on every address is reached where the API is. */
function parseJoin(values: Values, advertise: string): Pick<ControllerConfig, 'joinListen' | 'joinAdvertise'> {
  const joinListen = optionalHostPort(values, 'join-listen');
  if (joinListen === '') {
    return { joinListen };
  }
  const joinAdvertise = EVERY_ADDRESS.test(joinListen) ? advertise.replace(PORT, joinListen.slice(joinListen.lastIndexOf(':'))) : joinListen;
  return { joinListen, joinAdvertise };
}

function parseEtcdTls(values: Values): ControllerConfig['etcdTls'] {
  const [caFile, certificateFile, keyFile] = [text(values, 'etcd-ca'), text(values, 'etcd-cert'), text(values, 'etcd-key')];
  if (caFile === undefined && certificateFile === undefined && keyFile === undefined) {
    return undefined;
  }
  if (caFile === undefined || certificateFile === undefined || keyFile === undefined) {
    throw new ClusterError('INVALID_ARGUMENT', '--etcd-ca, --etcd-cert and --etcd-key come together');
  }
  return { caFile, certificateFile, keyFile };
}

function parsePolicy(given = ''): PlacementPolicy {
  const policy = PLACEMENT_POLICIES.find(one => one === given);
  if (policy === undefined) {
    throw refusal('placement-policy', given, PLACEMENT_POLICIES.join(' or '));
  }
  return policy;
}

function parseReserved(entry: string): ReservedPorts {
  const reserved = parseReservedPorts(entry);
  if (reserved === undefined) {
    throw refusal('reserved-ports', entry, 'a port or a range of ports in 1..65535, such as 22, 7400-7403/tcp or 4789/udp');
  }
  return reserved;
}

function parsePrometheus(url: string | undefined): Pick<ControllerConfig, 'prometheusUrl'> {
  return url === undefined ? {} : { prometheusUrl: checked('prometheus', url, isPrometheusUrl, PROMETHEUS_URL) };
}

function parsePreset(preset = ''): keyof typeof TIMES_PRESETS {
  if (preset !== 'default' && preset !== 'test') {
    throw refusal('times', preset, 'default or test');
  }
  return preset;
}

function parseLife(given = ''): number {
  const life = parseDuration(given);
  if ('problem' in life || life.value < MIN_CERTIFICATE_LIFE_MS) {
    throw refusal('certificate-life', given, 'a duration of at least 10s');
  }
  return life.value;
}

function text(values: Values, name: OptionName): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

function list(values: Values, name: OptionName): readonly string[] {
  return (text(values, name) ?? '').split(',').filter(part => part !== '');
}

function hostPort(name: OptionName, value: string | undefined): string {
  return checked(name, value, one => Number(HOST_PORT.exec(one)?.[1] ?? MAX_PORT + 1) <= MAX_PORT, 'HOST:PORT');
}

function optionalHostPort(values: Values, name: OptionName): string {
  const value = text(values, name) ?? '';
  return value === '' ? '' : hostPort(name, value);
}

function absolute(name: OptionName, value: string | undefined): string {
  return checked(name, value, isAbsolute, 'an absolute path');
}

function isUrl(value: string): boolean {
  return /^https?:\/\/[^/\s]+$/.test(value);
}

function isHistoryLimit(value: string): boolean {
  return COUNT.test(value) && Number(value) <= MAX_HISTORY_LIMIT;
}

function checked(name: OptionName, given: string | undefined, isGood: (value: string) => boolean, expected: string): string {
  const value = given ?? '';
  if (!isGood(value)) {
    throw refusal(name, value, expected);
  }
  return value;
}

function refusal(name: OptionName, value: string, expected: string): ClusterError {
  return new ClusterError('INVALID_ARGUMENT', `--${name} is ${JSON.stringify(value)}, expected ${expected}`);
}
