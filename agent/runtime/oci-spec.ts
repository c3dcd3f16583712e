/**
 * The OCI config of one container: everything that isolates and limits it, as one value.
 *
 * Nothing of an image but its user, environment, entrypoint, command and working directory gets in: no annotation, hook, label or
 * device. Source: OCI runtime-spec, config.md and config-linux.md
 */
import { posix } from 'node:path';
import { ClusterError } from '#model/errors.ts';
import { grantedCapabilities, refusedCapability } from '#model/security-rules.ts';
import type { TaskResources } from '#model/resources.ts';
import type { ContainerSpec, SecuritySpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { cpuQuota, cpuShares, CPU_PERIOD_MICROSECONDS } from '../cgroup/limit-files.ts';
import type { ImageConfig } from '#model/node-images.ts';
import type { OciMount } from '../volume/ports.ts';
import { containerMounts, deviceRules, hasOwn, maskedPaths, namespaces, readOnlyPaths } from './oci-isolation.ts';
import type { NamespacePaths, OciDevice } from './oci-isolation.ts';
import type { SecurityModules } from './security-module.ts';
import { securityModuleLabels } from './security-module.ts';
import { resolveUser } from './container-user.ts';
import type { AccountFiles, ContainerUser } from './container-user.ts';
import { seccompProfile } from './seccomp-profile.ts';
import type { Architecture } from './seccomp-profile.ts';

export interface OciSpecInput {
  readonly task: Task;
  readonly image: ImageConfig;
  readonly user: ContainerUser;
  readonly rootfsPath: string;
  readonly userNamespacePath: string;
  readonly networkNamespacePath: string;
  /** Of volumes, configs and secrets. */
  readonly mounts: readonly OciMount[];
  readonly cgroupsPath: string;
  /** Files on the host that become /etc/hostname, /etc/hosts and /etc/resolv.conf. */
  readonly etcFiles: { readonly hostname: string; readonly hosts: string; readonly resolvConf: string };
  readonly architecture: Architecture;
  /** Namespaces of other containers that it joins. */
  readonly joined: Omit<NamespacePaths, 'user' | 'network'>;
  /** A debug container: it may trace the processes that it sees. */
  readonly isDebugger: boolean;
  /** Device nodes that the container is given, its own apart. */
  readonly devices: readonly OciDevice[];
  readonly securityModules: SecurityModules;
  /** The agent's own hard limit of open files: a runtime without more rights cannot go above it. */
  readonly maxOpenFiles: number;
  /** What the agent itself may have, without `CAP_`: `ALL` means these. */
  readonly heldCapabilities: ReadonlySet<string>;
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
  readonly noNewPrivileges: boolean;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly oomScoreAdj: number;
  readonly consoleSize?: { readonly width: number; readonly height: number };
}

const ETC_TARGETS = { hostname: '/etc/hostname', hosts: '/etc/hosts', resolvConf: '/etc/resolv.conf' } as const;
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Ids of a container's user namespace; the last one. */
const MAX_CONTAINER_ID = 65_535;
const INIT_SOURCE = '/usr/bin/tini-static';
export const INIT_TARGET = '/run/gantry-init';
/** Under memory pressure containers go before the machine's own services. Source: proc_pid_oom_score_adj(5) */
const CONTAINER_OOM_SCORE = 100;

/**
 * config.json for `input.task`.
 *
 * @throws ClusterError INVALID_ARGUMENT or FAILED_PRECONDITION when the task and its image together cannot run: no command, unknown or
 * too large user, root in `restricted`, a capability that the profile does not give, a working directory under /proc
 */
export function ociSpec(input: OciSpecInput): Readonly<Record<string, unknown>> & { readonly process: OciProcess } {
  const { container } = input.task;
  const { security } = container;
  const labels = securityModuleLabels(input.securityModules, { taskId: input.task.id, isUnconfined: security.isUnconfined });
  return {
    ociVersion: '1.0.2',
    ...(hasOwn(security, 'uts') && input.joined.uts === undefined ? { hostname: container.hostname ?? input.task.name } : {}),
    root: { path: input.rootfsPath, readonly: isReadOnly(security) },
    process: ociProcess(input, labels),
    mounts: ociMounts(input),
    linux: {
      namespaces: namespaces(security, { user: input.userNamespacePath, network: input.networkNamespacePath, ...input.joined }),
      cgroupsPath: input.cgroupsPath,
      resources: ociResources(input),
      rootfsPropagation: 'rprivate',
      ...(security.isUnconfined ? {} : { seccomp: seccompProfile(input.architecture, { mayTrace: input.isDebugger }) }),
      maskedPaths: maskedPaths(security),
      readonlyPaths: readOnlyPaths(security),
      sysctl: ociSysctls(container),
      ...(labels.mountLabel === undefined ? {} : { mountLabel: labels.mountLabel }),
    },
  };
}

function ociProcess(input: OciSpecInput, { apparmorProfile, selinuxLabel }: ReturnType<typeof securityModuleLabels>): OciProcess {
  const { user, task: { container } } = input;
  const granted = [...capabilities(container.security, input.heldCapabilities), ...(input.isDebugger ? ['SYS_PTRACE'] : [])].map(name => `CAP_${name}`);
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
    noNewPrivileges: !container.security.mayGainPrivileges,
    oomScoreAdj: CONTAINER_OOM_SCORE,
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
    ...(selinuxLabel === undefined ? {} : { selinuxLabel }),
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
function capabilities(asked: SecuritySpec, held: ReadonlySet<string>): readonly string[] {
  const security = { ...asked, capAdd: asked.capAdd.map(bareCapability), capDrop: asked.capDrop.map(bareCapability) };
  const refused = refusedCapability(security);
  if (refused !== undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `capability ${refused} is not one of profile ${security.profile}`);
  }
  const lacking = security.capAdd.find(name => name !== 'ALL' && !held.has(name));
  if (lacking !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `capability ${lacking} cannot be given: the agent on this node does not have it`);
  }
  return grantedCapabilities(security).filter(name => held.has(name));
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
  return [
    ...containerMounts(container, input.mounts.map(mount => mount.destination)),
    ...input.devices.map(({ path, source }): OciMount => ({ destination: path, type: 'bind', source, options: ['bind', 'rprivate', 'nosuid', 'noexec'] })),
    ...(['hostname', 'hosts', 'resolvConf'] as const).map((name): OciMount =>
      ({ destination: ETC_TARGETS[name], type: 'bind', source: input.etcFiles[name], options: ['bind', 'rprivate', 'ro', 'nosuid', 'nodev', 'noexec'] })),
    ...(container.init ? [{ destination: INIT_TARGET, type: 'bind', source: INIT_SOURCE, options: ['bind', 'rprivate', 'ro', 'nosuid', 'nodev'] }] : []),
    ...input.mounts,
  ];
}

/** Both cgroup versions: the runtime turns `shares` into a v2 weight and `swap` into what v2 counts apart. The agent sets cpus and io itself. */
function ociResources(input: OciSpecInput): object {
  const { limits, requests }: TaskResources = input.task.container;
  const quota = cpuQuota(limits.milliCpu);
  return {
    devices: deviceRules(input.devices),
    memory: { limit: limits.memoryBytes, swap: limits.memoryBytes + (limits.swapBytes ?? 0) },
    cpu: { shares: cpuShares(requests.milliCpu), ...(quota === undefined ? {} : { quota, period: CPU_PERIOD_MICROSECONDS }) },
    pids: { limit: limits.pids },
  };
}

/** The namespace is the container's own, so low ports and ping need no capability there. */
function ociSysctls(container: ContainerSpec): Readonly<Record<string, string>> {
  return {
    ...(hasOwn(container.security, 'network') ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 65535' } : {}),
    ...Object.fromEntries(container.sysctls.map(({ name, value }) => [name, value])),
  };
}
