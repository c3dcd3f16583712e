/**
 * The OCI config of one container: everything that isolates and limits it, as one value.
 *
 * Nothing of an image but its user, environment, entrypoint, command and working directory gets in: no annotation, hook, label or
 * device. Source: OCI runtime-spec, config.md and config-linux.md
 */
import { posix } from 'node:path';
import { ClusterError } from '#model/errors.ts';
import type { TaskResources } from '#model/resources.ts';
import type { ContainerSpec, SecuritySpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { cpuQuota, cpuShares, CPU_PERIOD_MICROSECONDS } from '../cgroup/limit-files.ts';
import type { ImageConfig } from '../image/ports.ts';
import type { OciMount } from '../volume/ports.ts';
import { resolveUser } from './container-user.ts';
import type { AccountFiles, ContainerUser } from './container-user.ts';
import { seccompProfile } from './seccomp-profile.ts';
import type { Architecture } from './seccomp-profile.ts';

export interface OciSpecInput {
  readonly task: Task;
  readonly image: ImageConfig;
  readonly accounts: AccountFiles;
  readonly rootfsPath: string;
  readonly userNamespacePath: string;
  readonly networkNamespacePath: string;
  /** Of volumes, configs and secrets. */
  readonly mounts: readonly OciMount[];
  readonly cgroupsPath: string;
  /** Files on the host that become /etc/hostname, /etc/hosts and /etc/resolv.conf. */
  readonly etcFiles: { readonly hostname: string; readonly hosts: string; readonly resolvConf: string };
  readonly architecture: Architecture;
  /** For a debug container: whose processes it sees, and may trace. */
  readonly debugged?: DebuggedNamespaces;
  /** The agent's own hard limit of open files: a runtime without more rights cannot go above it. */
  readonly maxOpenFiles: number;
}

/** Paths of the namespaces of a running container. */
export interface DebuggedNamespaces {
  readonly pid: string;
  readonly ipc: string;
}

/** The process section, also the base of an exec's. */
export interface OciProcess {
  readonly terminal: boolean;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[]; readonly umask: number };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Readonly<Record<'bounding' | 'effective' | 'permitted' | 'inheritable' | 'ambient', readonly string[]>>;
  readonly rlimits: readonly { readonly type: string; readonly soft: number; readonly hard: number }[];
  readonly noNewPrivileges: true;
  readonly oomScoreAdj: number;
  readonly consoleSize?: { readonly width: number; readonly height: number };
}

const BASELINE_CAPABILITIES = [
  'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'NET_BIND_SERVICE', 'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT',
];
/** What `cap_add` may name. */
const ADDABLE = { baseline: BASELINE_CAPABILITIES, restricted: ['NET_BIND_SERVICE'] } as const;
const MASKED_PATHS = [
  '/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug', '/proc/scsi',
  '/proc/timer_list', '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware', '/sys/devices/system/cpu/cpu0/thermal_throttle',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
/** null zero full random urandom tty ptmx pts/*. Source: Documentation/admin-guide/devices.txt */
const DEVICES = [[1, 3], [1, 5], [1, 7], [1, 8], [1, 9], [5, 0], [5, 2], [136, undefined]] as const;
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Ids of a container's user namespace; the last one. */
const MAX_CONTAINER_ID = 65_535;
const MIB = 1024 * 1024;
const INIT_SOURCE = '/usr/bin/tini-static';
const INIT_TARGET = '/run/gantry-init';
/** Under memory pressure containers go before the machine's own services. Source: proc_pid_oom_score_adj(5) */
const CONTAINER_OOM_SCORE = 100;

/**
 * config.json for `input.task`.
 *
 * @throws ClusterError INVALID_ARGUMENT or FAILED_PRECONDITION when the task and its image together cannot run: no command, unknown or
 * too large user, root in `restricted`, a capability that the profile does not give, a working directory under /proc
 */
export function ociSpec(input: OciSpecInput): object {
  const { task } = input;
  const container = task.container;
  return {
    ociVersion: '1.0.2',
    hostname: container.hostname ?? task.name,
    root: { path: input.rootfsPath, readonly: isReadOnly(container.security) },
    process: ociProcess(input),
    mounts: ociMounts(input),
    linux: {
      namespaces: [
        { type: 'user', path: input.userNamespacePath },
        { type: 'network', path: input.networkNamespacePath },
        { type: 'pid', ...pathOf(input.debugged?.pid) },
        { type: 'ipc', ...pathOf(input.debugged?.ipc) },
        ...['mount', 'uts', 'cgroup'].map(type => ({ type })),
      ],
      cgroupsPath: input.cgroupsPath,
      resources: ociResources(container),
      rootfsPropagation: 'rprivate',
      seccomp: seccompProfile(input.architecture, { mayTrace: input.debugged !== undefined }),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
      sysctl: ociSysctls(container),
    },
  };
}

function pathOf(path: string | undefined): { readonly path?: string } {
  return path === undefined ? {} : { path };
}

function ociProcess(input: OciSpecInput): OciProcess {
  const { container } = input.task;
  const user = containerUser(input.task, input.image, input.accounts);
  const granted = [...capabilities(container.security), ...(input.debugged === undefined ? [] : ['SYS_PTRACE'])].map(name => `CAP_${name}`);
  const held = user.uid === 0 ? granted : [];
  return {
    terminal: container.tty,
    ...(container.consoleSize === undefined ? {} : { consoleSize: { width: container.consoleSize.columns, height: container.consoleSize.rows } }),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids, umask: 0o022 },
    args: [...(container.init ? [INIT_TARGET, '--'] : []), ...commandLine(container, input.image)],
    env: environment(input, user),
    cwd: workingDir(container, input.image),
    capabilities: { bounding: granted, effective: held, permitted: held, inheritable: [], ambient: [] },
    rlimits: rlimits(container, input.maxOpenFiles),
    noNewPrivileges: true,
    oomScoreAdj: CONTAINER_OOM_SCORE,
  };
}

/** Who the first process is: the service's word before the image's. @throws ClusterError when nobody knows the user, or the profile refuses it */
export function containerUser(task: Task, image: ImageConfig, accounts: AccountFiles): ContainerUser {
  const { security } = task.container;
  const user = resolveUser(security.user ?? image.user, accounts);
  if ([user.uid, user.gid].some(id => id > MAX_CONTAINER_ID)) {
    throw new ClusterError('FAILED_PRECONDITION', `user ${String(user.uid)}:${String(user.gid)} is outside the container's ids 0..65535`);
  }
  if (security.profile === 'restricted' && user.uid === 0) {
    throw new ClusterError('FAILED_PRECONDITION', 'the image runs as root, which profile restricted refuses: set security.user to a non-zero uid');
  }
  return { ...user, additionalGids: user.additionalGids.filter(gid => gid <= MAX_CONTAINER_ID) };
}

/** Capabilities in order, without `CAP_`. Drops come first, so `cap_drop: [ALL]` with `cap_add` means exactly the added ones. */
function capabilities(security: SecuritySpec): readonly string[] {
  const addable: readonly string[] = ADDABLE[security.profile];
  const added = security.capAdd.map(bareCapability);
  const refused = added.find(name => !addable.includes(name));
  if (refused !== undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `capability ${refused} is not one of profile ${security.profile}: ${addable.join(' ')}`);
  }
  const dropped = new Set(security.capDrop.map(bareCapability));
  const base = security.profile === 'baseline' && !dropped.has('ALL') ? BASELINE_CAPABILITIES.filter(name => !dropped.has(name)) : [];
  return [...new Set([...base, ...added])].sort();
}

function bareCapability(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '');
}

/** ENTRYPOINT and CMD as Compose means them: an own entrypoint forgets the image's CMD. */
function commandLine(container: ContainerSpec, image: ImageConfig): readonly string[] {
  const entrypoint = container.entrypoint ?? image.entrypoint;
  const command = container.command ?? (container.entrypoint === undefined ? image.command : []);
  const args = [...entrypoint, ...command];
  if (args.length === 0) {
    throw new ClusterError('FAILED_PRECONDITION', `image ${container.image} names no command: set command or entrypoint`);
  }
  return args;
}

/** Clean and absolute; `/` where nobody says. The runtime makes it where the image has none. */
function workingDir(container: ContainerSpec, image: ImageConfig): string {
  const raw = container.workingDir ?? image.workingDir;
  const clean = posix.resolve('/', raw);
  if (clean === '/proc' || clean.startsWith('/proc/')) {
    throw new ClusterError('FAILED_PRECONDITION', `working directory ${clean} is under /proc`);
  }
  return clean;
}

/** Later ones win: defaults, the image's, Gantry's own, the service's. Names unique, in order of first appearance. */
function environment(input: OciSpecInput, user: ContainerUser): readonly string[] {
  const { task } = input;
  const own: readonly (readonly [string, string])[] = [
    ['APP', task.app], ['SERVICE', task.service], ['TASK', task.id], ['SLOT', String(task.slot)], ['NODE', task.node],
    ['NAMESPACE', task.namespace], ['FENCE', String(task.fence)],
  ];
  return mergeEnvironment([
    DEFAULT_PATH,
    `HOSTNAME=${task.container.hostname ?? task.name}`,
    `HOME=${user.home}`,
    ...(task.container.tty ? ['TERM=xterm'] : []),
    ...input.image.environment,
    ...own.map(([name, value]) => `GANTRY_${name}=${value}`),
    ...task.container.environment.map(({ name, value }) => `${name}=${value}`),
  ]);
}

/** `NAME=value` lines with each name once, the last value winning. */
export function mergeEnvironment(lines: readonly string[]): readonly string[] {
  const byName = new Map<string, string>();
  for (const line of lines) {
    const name = line.split('=', 1)[0] ?? '';
    if (name !== '') {
      byName.set(name, line);
    }
  }
  return [...byName.values()];
}

function rlimits(container: ContainerSpec, maxOpenFiles: number): OciProcess['rlimits'] {
  const byType = new Map([
    ['RLIMIT_NOFILE', { soft: Math.min(1024, maxOpenFiles), hard: Math.min(524_288, maxOpenFiles) }],
    ['RLIMIT_CORE', { soft: 0, hard: 0 }],
    ['RLIMIT_MEMLOCK', { soft: 65_536, hard: 65_536 }],
  ]);
  for (const { name, soft, hard } of container.ulimits) {
    byType.set(`RLIMIT_${name.toUpperCase()}`, { soft, hard });
  }
  return [...byType].map(([type, limit]) => ({ type, ...limit }));
}

function isReadOnly(security: SecuritySpec): boolean {
  return security.readOnly || security.profile === 'restricted';
}

function ociMounts(input: OciSpecInput): readonly OciMount[] {
  const { container } = input.task;
  const etc = (destination: string, source: string): OciMount =>
    ({ destination, type: 'bind', source, options: ['bind', 'rprivate', 'ro', 'nosuid', 'nodev', 'noexec'] });
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${String(container.shmSizeBytes)}`] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'] },
    ...(container.security.profile === 'restricted' && !input.mounts.some(mount => mount.destination === '/tmp')
      ? [{ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'noexec', 'mode=1777', `size=${String(64 * MIB)}`] }]
      : []),
    etc('/etc/hostname', input.etcFiles.hostname),
    etc('/etc/hosts', input.etcFiles.hosts),
    etc('/etc/resolv.conf', input.etcFiles.resolvConf),
    ...(container.init ? [{ destination: INIT_TARGET, type: 'bind', source: INIT_SOURCE, options: ['bind', 'rprivate', 'ro', 'nosuid', 'nodev'] }] : []),
    ...input.mounts,
  ];
}

/** Both cgroup versions: the runtime turns `shares` into a v2 weight and `swap` into what v2 counts apart. The agent sets cpus and io itself. */
function ociResources({ limits, requests }: TaskResources): object {
  const quota = cpuQuota(limits.milliCpu);
  return {
    devices: [
      { allow: false, access: 'rwm' },
      ...DEVICES.map(([major, minor]) => ({ allow: true, type: 'c', major, ...(minor === undefined ? {} : { minor }), access: 'rwm' })),
    ],
    memory: { limit: limits.memoryBytes, swap: limits.memoryBytes + (limits.swapBytes ?? 0) },
    cpu: { shares: cpuShares(requests.milliCpu), ...(quota === undefined ? {} : { quota, period: CPU_PERIOD_MICROSECONDS }) },
    pids: { limit: limits.pids },
  };
}

/** The namespace is the container's own, so low ports and ping need no capability there. */
function ociSysctls(container: ContainerSpec): Readonly<Record<string, string>> {
  return {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': '0 65535',
    ...Object.fromEntries(container.sysctls.map(({ name, value }) => [name, value])),
  };
}
