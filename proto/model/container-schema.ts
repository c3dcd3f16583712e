/** The part of a service that one container needs -> ContainerSpec. */
import { parseCpuset } from './cpuset.ts';
import { formatImageName, parseImageReference } from './image-reference.ts';
import { readDeviceRequests, readDevices, readDns, readExtraHosts, readSecurity, readUlimits } from './isolation-schema.ts';
import { readConfigMounts, readPorts, readSecretMounts, readVolumeMounts } from './mount-schema.ts';
import { parseCpu, parseDuration, parseMemory } from './quantity.ts';
import type { HugepageLimit, IoLimits, Limits, Resources } from './resources.ts';
import type { KeyTable, SchemaField } from './schema-field.ts';
import type { CompanionSpec, ContainerSpec, HealthCheck, ProbeAction, RestartPolicy, SecurityProfile, ServiceKind } from './service.ts';
import { readPairs } from './pair-schema.ts';
import { splitShellWords } from './shell-words.ts';

const HEALTH_KEYS: KeyTable = { known: ['http', 'tcp', 'grpc', 'test', 'interval', 'timeout', 'retries', 'start_period'] };
const RESTART_KEYS: KeyTable = { known: ['policy', 'max_attempts', 'window', 'delay'], example: '{ policy: always }, or on-failure or never' };
const RESOURCE_KEYS: KeyTable = { known: ['requests', 'limits'] };
const REQUEST_KEYS: KeyTable = { known: ['cpus', 'memory', 'disk', 'pids', 'devices'] };
const LIMIT_KEYS: KeyTable = { known: ['cpus', 'memory', 'pids', 'cpuset', 'swap', 'io', 'storage', 'hugepages'] };
const IO_KEYS: KeyTable = { known: ['weight', 'read_bps', 'write_bps', 'read_iops', 'write_iops'] };

const PULL_POLICIES = ['always', 'if-not-present', 'never'] as const;
const MEBIBYTE = 2 ** 20;
const DEFAULT_REQUESTS: Resources = { milliCpu: 50, memoryBytes: 32 * MEBIBYTE };
const DEFAULT_LIMIT_MEMORY_BYTES = 512 * MEBIBYTE;
const DEFAULT_LIMIT_PIDS = 512;
const DEFAULT_SHM_BYTES = 64 * MEBIBYTE;
const DEFAULT_STOP_GRACE_MS = 10_000;
export const DEFAULT_RUNTIME = 'crun';

/** @param profile  where the manifest names none */
export function readContainer(field: SchemaField, kind: ServiceKind, profile: SecurityProfile): ContainerSpec {
  const limits = readLimits(field.at('resources'));
  return {
    ...readImage(field.at('image')),
    ...readPullPolicy(field.at('pull_policy')),
    ...readProcess(field),
    environment: readPairs(field.at('environment')),
    stopGracePeriodMs: field.at('stop_grace_period').parsed(parseDuration) ?? DEFAULT_STOP_GRACE_MS,
    init: field.at('init').boolean(false),
    tty: field.at('tty').boolean(false),
    stdin: field.at('stdin_open').boolean(false),
    ...(field.at('healthcheck').isPresent ? readHealthCheck(field.at('healthcheck')) : {}),
    restart: readRestart(field.at('restart'), kind),
    requests: readRequests(field.at('resources'), limits),
    limits,
    ports: readPorts(field.at('ports')),
    configs: readConfigMounts(field.at('configs')),
    secrets: readSecretMounts(field.at('secrets')),
    volumes: readVolumeMounts(field.at('volumes')),
    security: readSecurity(field.at('security'), profile),
    ulimits: readUlimits(field.at('ulimits')),
    sysctls: readPairs(field.at('sysctls')),
    shmSizeBytes: field.at('shm_size').parsed(parseMemory) ?? DEFAULT_SHM_BYTES,
    extraHosts: readExtraHosts(field.at('extra_hosts')),
    dns: readDns(field.at('dns')),
    devices: readDevices(field.at('devices')),
    deviceRequests: readDeviceRequests(field.at('resources').at('requests').at('devices')),
    runtime: field.at('runtime').text() ?? DEFAULT_RUNTIME,
  };
}

/** The words of one companion: what a container of its own can have. The rest is the service's. */
const COMPANION_KEYS = [
  'name', 'image', 'command', 'entrypoint', 'environment', 'working_dir', 'resources', 'configs', 'secrets', 'volumes', 'security', 'init',
  'stop_signal', 'ulimits', 'shm_size',
];

/** `init_containers`, then `sidecars`. */
export function readCompanions(field: SchemaField, main: ContainerSpec): readonly CompanionSpec[] {
  return [
    ...field.at('init_containers').items().map(item => readCompanion(item, 'init', main)),
    ...field.at('sidecars').items().map(item => readCompanion(item, 'sidecar', main)),
  ];
}

/** An image that is not named is the service's, and so is its user. A sidecar runs as long as the task, so by default it is always restarted. */
function readCompanion(field: SchemaField, role: CompanionSpec['role'], main: ContainerSpec): CompanionSpec {
  field.checkKeys({ known: role === 'sidecar' ? [...COMPANION_KEYS, 'restart'] : COMPANION_KEYS });
  const own = readContainer(field, role === 'init' ? 'job' : 'service', main.security.profile);
  const { user } = main.security;
  const { hostname, runtime, extraHosts, dns, stopGracePeriodMs } = main;
  const shared = { runtime, extraHosts, dns, stopGracePeriodMs, ...(hostname === undefined ? {} : { hostname }), ...(main.pullPolicy === undefined ? {} : { pullPolicy: main.pullPolicy }) };
  if (field.at('image').isPresent) {
    return { name: field.at('name').text() ?? '', role, container: { ...own, ...shared } };
  }
  const image = { image: main.image, ...(main.digest === undefined ? {} : { digest: main.digest }) };
  const security = { ...(user === undefined ? {} : { user }), ...own.security };
  return { name: field.at('name').text() ?? '', role, container: { ...own, ...shared, ...image, security } };
}

function readImage(field: SchemaField): Pick<ContainerSpec, 'image' | 'digest'> {
  const image = field.text() === undefined ? undefined : field.parsed(parseImageReference);
  return { image: image === undefined ? '' : formatImageName(image), ...(image?.digest === undefined ? {} : { digest: image.digest }) };
}

/** The default is the absent one, so that a file that names it means the same as one that does not. */
function readPullPolicy(field: SchemaField): Pick<ContainerSpec, 'pullPolicy'> {
  const policy = field.choice({ words: PULL_POLICIES }, 'if-not-present');
  return policy === 'if-not-present' ? {} : { pullPolicy: policy };
}

type ProcessPart = Pick<ContainerSpec, 'entrypoint' | 'command' | 'workingDir' | 'hostname' | 'stopSignal'>;

function readProcess(field: SchemaField): ProcessPart {
  const entrypoint = readWords(field.at('entrypoint'));
  const command = readWords(field.at('command'));
  const workingDir = field.at('working_dir').text();
  const hostname = field.at('hostname').text();
  const stopSignal = field.at('stop_signal').text();
  return {
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(command === undefined ? {} : { command }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(stopSignal === undefined ? {} : { stopSignal: stopSignal.startsWith('SIG') ? stopSignal : `SIG${stopSignal}` }),
  };
}

/** Words of a list, or of text split as a shell would. */
function readWords(field: SchemaField): readonly string[] | undefined {
  if (!field.isPresent) {
    return undefined;
  }
  return typeof field.value === 'string' ? field.parsed(splitShellWords) : field.texts();
}

function readHealthCheck(field: SchemaField): { readonly healthcheck: HealthCheck } {
  field.checkKeys(HEALTH_KEYS);
  const actions = ['http', 'tcp', 'grpc', 'test'].filter(action => field.at(action).isPresent);
  if (actions.length !== 1) {
    field.complain('needs one of http, tcp, grpc and test');
  }
  return {
    healthcheck: {
      action: readProbeAction(field),
      intervalMs: field.at('interval').parsed(parseDuration) ?? 10_000,
      timeoutMs: field.at('timeout').parsed(parseDuration) ?? 2_000,
      retries: field.at('retries').integer(3),
      startPeriodMs: field.at('start_period').parsed(parseDuration) ?? 0,
    },
  };
}

function readProbeAction(field: SchemaField): ProbeAction {
  const [http, tcp, grpc, exec] = [field.at('http'), field.at('tcp'), field.at('grpc'), field.at('test')];
  if (http.isPresent) {
    http.checkKeys({ known: ['port', 'path'] });
    return { kind: 'http', port: readRequiredPort(http.at('port')), path: http.at('path').text() ?? '/' };
  }
  if (grpc.isPresent) {
    grpc.checkKeys({ known: ['port', 'service'] });
    return { kind: 'grpc', port: readRequiredPort(grpc.at('port')), service: grpc.at('service').text() ?? '' };
  }
  if (exec.isPresent) {
    return { kind: 'exec', command: readTestCommand(exec) };
  }
  tcp.checkKeys({ known: ['port'] });
  return { kind: 'tcp', port: tcp.isPresent ? readRequiredPort(tcp.at('port')) : 1 };
}

function readRequiredPort(field: SchemaField): number {
  field.require();
  return field.integer(1);
}

/** Compose's forms: `[CMD, ...]`, `[CMD-SHELL, text]`, or text for a shell. */
function readTestCommand(field: SchemaField): readonly string[] {
  if (typeof field.value === 'string') {
    return ['/bin/sh', '-c', field.value];
  }
  const [form, ...words] = field.texts();
  if (form === 'CMD' && words.length > 0) {
    return words;
  }
  if (form === 'CMD-SHELL' && words.length === 1) {
    return ['/bin/sh', '-c', ...words];
  }
  field.complain('must be [CMD, program, ...] or [CMD-SHELL, text]');
  return ['true'];
}

/** A job's task is tried again by a new task, `job.retries` times: in place it is not restarted unless that is written. */
function readRestart(field: SchemaField, kind: ServiceKind): RestartPolicy {
  field.checkKeys(RESTART_KEYS);
  return {
    mode: field.at('policy').choice({ words: ['always', 'on-failure', 'never'] }, kind === 'job' || kind === 'cron' ? 'never' : 'always'),
    maxAttempts: field.at('max_attempts').integer(5),
    windowMs: field.at('window').parsed(parseDuration) ?? 600_000,
    delayMs: field.at('delay').parsed(parseDuration) ?? 1_000,
  };
}

function readLimits(resources: SchemaField): Limits {
  resources.checkKeys(RESOURCE_KEYS);
  const field = resources.at('limits');
  field.checkKeys(LIMIT_KEYS);
  const milliCpu = field.at('cpus').parsed(parseCpu);
  const wishedBytes = numberOr(resources.at('requests').at('memory').value, 0);
  return {
    ...(milliCpu === undefined ? {} : { milliCpu }),
    memoryBytes: field.at('memory').parsed(parseMemory) ?? Math.max(DEFAULT_LIMIT_MEMORY_BYTES, wishedBytes),
    pids: field.at('pids').integer(DEFAULT_LIMIT_PIDS),
    ...readExtraLimits(field),
  };
}

/** What is written only where a default would not do. */
function readExtraLimits(field: SchemaField): Pick<Limits, 'cpuset' | 'swapBytes' | 'io' | 'storageBytes' | 'hugepages'> {
  const cpuset = field.at('cpuset').parsed(parseCpuset);
  const swapBytes = field.at('swap').parsed(parseMemory) ?? 0;
  const io = readIo(field.at('io'));
  const storageBytes = field.at('storage').parsed(parseMemory);
  const hugepages = readHugepages(field.at('hugepages'));
  return {
    ...(cpuset === undefined ? {} : { cpuset }),
    ...(swapBytes === 0 ? {} : { swapBytes }),
    ...(Object.keys(io).length === 0 ? {} : { io }),
    ...(storageBytes === undefined ? {} : { storageBytes }),
    ...(hugepages.length === 0 ? {} : { hugepages }),
  };
}

/** `2Mi: 64Mi`: the size of a page, and the most memory in pages of it. */
function readHugepages(field: SchemaField): readonly HugepageLimit[] {
  const limits = field.entries().map(([size, amount]) => {
    const page = parseMemory(size);
    if ('problem' in page) amount.complain(`${page.problem}; a size of huge pages is expected, as 2Mi or 1Gi`);
    return { pageBytes: 'value' in page ? page.value : 2 ** 21, bytes: amount.parsed(parseMemory) ?? 0 };
  });
  return limits.sort((left, right) => left.pageBytes - right.pageBytes);
}

function readIo(field: SchemaField): IoLimits {
  field.checkKeys(IO_KEYS);
  const readBps = field.at('read_bps').parsed(parseMemory);
  const writeBps = field.at('write_bps').parsed(parseMemory);
  const [weight, readIops, writeIops] = ['weight', 'read_iops', 'write_iops'].map(key => (field.at(key).isPresent ? field.at(key).integer(0) : undefined));
  return {
    ...(weight === undefined ? {} : { weight }),
    ...(readBps === undefined ? {} : { readBps }),
    ...(writeBps === undefined ? {} : { writeBps }),
    ...(readIops === undefined ? {} : { readIops }),
    ...(writeIops === undefined ? {} : { writeIops }),
  };
}

/** Requests default to written limits. */
function readRequests(resources: SchemaField, limits: Limits): Resources {
  const field = resources.at('requests');
  field.checkKeys(REQUEST_KEYS);
  const isMemoryLimited = resources.at('limits').at('memory').isPresent;
  const diskBytes = field.at('disk').parsed(parseMemory);
  return {
    ...(diskBytes === undefined ? {} : { diskBytes }),
    ...(field.at('pids').isPresent ? { pids: field.at('pids').integer(1) } : {}),
    milliCpu: field.at('cpus').parsed(parseCpu) ?? limits.milliCpu ?? DEFAULT_REQUESTS.milliCpu,
    memoryBytes: field.at('memory').parsed(parseMemory) ?? (isMemoryLimited ? limits.memoryBytes : DEFAULT_REQUESTS.memoryBytes),
  };
}

/** Bytes of an amount that is read, and complained about, elsewhere. */
function numberOr(value: SchemaField['value'], fallback: number): number {
  const text = typeof value === 'string' ? value : typeof value === 'object' && 'text' in value ? value.text : '';
  const parsed = parseMemory(text);
  return 'value' in parsed ? parsed.value : fallback;
}
