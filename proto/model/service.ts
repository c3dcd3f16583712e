/**
 * What one Service asks for, with every default filled in. The user writes it through ControlApi; nobody else.
 *
 * `app-schema.ts` makes it from a manifest, so that the controller, the scheduler and the agent never see an absent default.
 */
import type { Digest } from './digest.ts';
import type { Limits, Resources } from './resources.ts';

export type ServiceKind = 'service' | 'global' | 'stateful' | 'job' | 'cron';

export interface EnvironmentVariable {
  readonly name: string;
  readonly value: string;
}

export interface PublishedPort {
  /** Port on every node (`ingress`) or on the task's node (`host`); absent when only other services reach it. */
  readonly published?: number;
  /** Port inside the task. */
  readonly target: number;
  readonly protocol: 'tcp' | 'udp';
  readonly mode: 'ingress' | 'host';
  /** CIDR networks that may reach the published port; empty means all. */
  readonly allowFrom: readonly string[];
}

export type ProbeAction =
  | { readonly kind: 'exec'; readonly command: readonly string[] }
  | { readonly kind: 'tcp'; readonly port: number }
  | { readonly kind: 'http'; readonly port: number; readonly path: string }
  /** `service` is what the Check of grpc.health.v1 asks for; empty: the server as a whole. */
  | { readonly kind: 'grpc'; readonly port: number; readonly service: string };

export interface HealthCheck {
  readonly action: ProbeAction;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in a row until the task is unhealthy. */
  readonly retries: number;
  /** Failures this soon after the start do not count. */
  readonly startPeriodMs: number;
}

export interface RestartPolicy {
  readonly mode: 'always' | 'on-failure' | 'never';
  readonly maxAttempts: number;
  readonly windowMs: number;
  readonly delayMs: number;
}

/** A mount of a config or a secret as a file. `mode` is a number, e.g. 0o444. */
export interface FileMount {
  readonly source: string;
  /** Absolute path in the container. */
  readonly target: string;
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

export type VolumeMount =
  | { readonly kind: 'volume'; readonly source: string; readonly target: string; readonly readOnly: boolean }
  | { readonly kind: 'bind'; readonly hostPath: string; readonly target: string; readonly readOnly: boolean }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly sizeBytes: number };

/** `label op value`; `values` has one entry for `== != > <`, any number for `in not-in`, none for `exists not-exists`. */
export interface PlacementRule {
  readonly label: string;
  readonly operator: '==' | '!=' | 'in' | 'not-in' | 'exists' | 'not-exists' | '>' | '<';
  readonly values: readonly string[];
}

export interface PlacementSpec {
  readonly require: readonly PlacementRule[];
  readonly prefer: readonly { readonly rule: PlacementRule; readonly weight: number }[];
  /** Labels to be even over, in this order. */
  readonly spread: readonly string[];
  /** Most tasks of this service on one value of the label. */
  readonly maxPer: readonly { readonly label: string; readonly count: number }[];
  readonly tolerate: readonly string[];
  /** Services to be near. */
  readonly affinity: readonly ServiceAffinity[];
  /** Services to be away from. */
  readonly avoid: readonly ServiceAffinity[];
  /** `binpack`: on the fullest node that fits; absent: `spread`; what the controllers say instead (`--placement-policy`) is written when the service is applied. */
  readonly policy?: PlacementPolicy;
  /** Higher may take the place of lower. */
  readonly priority: number;
  /** All slots that wait are placed together, or none. */
  readonly isGang: boolean;
}

export const PLACEMENT_POLICIES = ['spread', 'binpack'] as const;
export type PlacementPolicy = (typeof PLACEMENT_POLICIES)[number];

/** On (or off) nodes that have the same value of `label` as one with an unfinished task of the service. */
export interface ServiceAffinity {
  /** `NAME` of the same App, or `APP/NAME` of the same namespace. */
  readonly service: string;
  readonly label: string;
  /** Absent: it must hold. */
  readonly weight?: number;
}

/** Who lets a canary step, or green, go further: the monitor time alone, or an operator after it. */
export const PROMOTE_MODES = ['auto', 'manual'] as const;
export type PromoteMode = (typeof PROMOTE_MODES)[number];

export interface UpdateSpec {
  readonly strategy: 'rolling' | 'recreate' | 'canary' | 'blue_green';
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  readonly monitorMs: number;
  readonly onFailure: 'rollback' | 'pause';
  /** `canary`: per cent of the replicas that are new at each step, 1..100, rising; all of them follow the last step. */
  readonly stepPercents?: readonly number[];
  /** `canary` and `blue_green`. Absent: auto. */
  readonly promote?: PromoteMode;
  /** Without another task that serves for this long, the rollout has failed. Absent: it may take as long as it likes. */
  readonly progressDeadlineMs?: number;
}

/** What a container may ask for at most, narrowest first (reliability 9). */
export const SECURITY_PROFILES = ['restricted', 'baseline', 'privileged'] as const;
export type SecurityProfile = (typeof SECURITY_PROFILES)[number];

/** Kinds of namespaces by their manifest names; mount namespaces are always private. */
export const HOST_NAMESPACES = ['userns', 'pid', 'ipc', 'uts', 'cgroup', 'network'] as const;
export type HostNamespace = (typeof HOST_NAMESPACES)[number];

/** Those that a container may have together with a sidecar; the others a task's containers share anyway, or cannot. */
export const SIDECAR_NAMESPACES = ['pid', 'ipc', 'uts', 'cgroup'] as const satisfies readonly HostNamespace[];
export type SidecarNamespace = (typeof SIDECAR_NAMESPACES)[number];

export interface SecuritySpec {
  readonly profile: SecurityProfile;
  /** `uid`, `uid:gid`, `name` or `name:group`; absent: what the image says. */
  readonly user?: string;
  readonly readOnly: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  /** Those of the machine that the container has instead of its own, in the order of HOST_NAMESPACES. */
  readonly hostNamespaces: readonly HostNamespace[];
  /** Those of a sidecar of the same task that the container joins, in the order of SIDECAR_NAMESPACES; absent: none. */
  readonly sidecarNamespaces?: readonly { readonly namespace: SidecarNamespace; readonly sidecar: string }[];
  /** `no_new_privileges: false`. */
  readonly mayGainPrivileges: boolean;
  /** `seccomp: unconfined`: neither a system call filter nor a security module's profile. */
  readonly isUnconfined: boolean;
}

/** A device node of the machine, by name. */
export interface DeviceMount {
  readonly hostPath: string;
  /** Below /dev in the container. */
  readonly target: string;
  /** Of `rwm`, in that order. */
  readonly access: string;
}

/** So many units of what nodes declare under this name, e.g. `nvidia.com/gpu`. */
export interface DeviceCount {
  readonly name: string;
  readonly count: number;
  /** Thousandths of each unit, which others may share; absent: whole units. */
  readonly milli?: number;
}

/** Stands in front of the cluster's own name servers, search path and options. */
export interface DnsSpec {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

export interface Dependency {
  readonly service: string;
  readonly condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
}

/**
 * What becomes of a task whose node is cut off, counted from the last heartbeat that was acknowledged (reliability 3). `replace`: another is made after that time, and the old one
 * runs on. `hold` (`replace_after: never`; default of stateful): none is made until the node is back or removed. `exclusive`: its node stops it, and then another is made.
 */
export type DisconnectSpec =
  | { readonly kind: 'replace'; readonly afterMs: number }
  | { readonly kind: 'hold' }
  | { readonly kind: 'exclusive'; readonly stopAfterMs: number; readonly replaceAfterMs: number };

/** Each completion is a slot of its own, from 0, which its task finds in GANTRY_SLOT. */
export interface JobSpec {
  /** Further tasks of a slot that failed. */
  readonly retries: number;
  /** Of each attempt; absent: no limit. */
  readonly timeoutMs?: number;
  /** Tasks at once at most; absent: all completions. */
  readonly parallelism?: number;
  /** How long the ended tasks and their logs stay after the job has ended; absent: always. */
  readonly keepMs?: number;
}

export interface CronSpec {
  /** Minute, hour, day of month, month, day of week; or a nickname such as `@daily`. */
  readonly schedule: string;
  /** Name of the IANA database. */
  readonly timezone: string;
  /** What a time that comes while a run goes on does: another run, none, or one in its place. */
  readonly concurrency: 'allow' | 'forbid' | 'replace';
  /** A time that was missed by more than this is passed over; absent: the newest missed one is made up for, however late. */
  readonly startingDeadlineMs?: number;
  /** Ended runs that stay to be looked at. */
  readonly keptSucceeded: number;
  readonly keptFailed: number;
  /** Its times pass without runs. */
  readonly isSuspended: boolean;
}

export interface AutoscaleSpec {
  /** 0 only with `metric`: what runs nowhere uses nothing that would bring it back. */
  readonly min: number;
  readonly max: number;
  /** Mean use that is aimed at, of what is requested. */
  readonly cpuPercent?: number;
  readonly memoryPercent?: number;
  /** A PromQL query, the sum of whose values is shared among the replicas, `target` for each. */
  readonly metric?: { readonly query: string; readonly target: number };
  /** Replicas go down only to the most that was wanted in this time. */
  readonly stabilizationMs: number;
  /** Replicas go up only to the least that was wanted in this time. */
  readonly upStabilizationMs: number;
}

/** The part of a Service that one container needs; a Task carries a copy. */
export interface ContainerSpec {
  /** Normalised, without digest: `docker.io/library/nginx:1.27`. */
  readonly image: string;
  /** What the tag was when the Revision was made; absent only before the controller resolved it. */
  readonly digest?: Digest;
  /** Absent: what is on the node is taken, else it is fetched. `always`: the registry is asked before each task. `never`: only what is on the node. */
  readonly pullPolicy?: 'always' | 'never';
  /** Absent: the image's ENTRYPOINT. */
  readonly entrypoint?: readonly string[];
  /** Absent: the image's CMD (unless `entrypoint` is given). */
  readonly command?: readonly string[];
  /** Sorted by name, names unique. */
  readonly environment: readonly EnvironmentVariable[];
  readonly workingDir?: string;
  readonly hostname?: string;
  readonly stopSignal?: string;
  readonly stopGracePeriodMs: number;
  readonly init: boolean;
  /** A terminal at the container's stdio (`run -t`). */
  readonly tty: boolean;
  /** What the terminal is at first; absent: as the runtime makes it. */
  readonly consoleSize?: { readonly columns: number; readonly rows: number };
  /** Keep stdin open (`run -i`). */
  readonly stdin: boolean;
  readonly healthcheck?: HealthCheck;
  readonly restart: RestartPolicy;
  readonly requests: Resources;
  readonly limits: Limits;
  readonly ports: readonly PublishedPort[];
  readonly configs: readonly FileMount[];
  readonly secrets: readonly FileMount[];
  readonly volumes: readonly VolumeMount[];
  readonly security: SecuritySpec;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly sysctls: readonly { readonly name: string; readonly value: string }[];
  readonly shmSizeBytes: number;
  readonly extraHosts: readonly { readonly name: string; readonly address: string }[];
  readonly dns: DnsSpec;
  readonly devices: readonly DeviceMount[];
  /** What `resources.requests.devices` asks for, sorted by name. */
  readonly deviceRequests: readonly DeviceCount[];
  readonly runtime: string;
}

/**
 * A container beside the main one, in the task's network namespace. `init` ones run before it, in order, each to exit 0. Then `sidecar` ones
 * start, in order, run as long as it does, and are stopped after it, the last one first.
 */
export interface CompanionSpec {
  /** Unique in the service; not the service's own name, which is the main container's. */
  readonly name: string;
  readonly role: 'init' | 'sidecar';
  /** Without ports, health check, terminal and stdin: those are the main container's. */
  readonly container: ContainerSpec;
}

export interface ServiceSpec {
  readonly name: string;
  readonly kind: ServiceKind;
  /** 0 for `global`, where the nodes decide; for `job` and the runs of a `cron` the completions; with `autoscale` what it begins with. */
  readonly replicas: number;
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly placement: PlacementSpec;
  readonly update: UpdateSpec;
  readonly dependsOn: readonly Dependency[];
  readonly onDisconnect: DisconnectSpec;
  /** For `job`, and of the runs of a `cron`. */
  readonly job?: JobSpec;
  /** Only for `cron`. */
  readonly cron?: CronSpec;
  readonly autoscale?: AutoscaleSpec;
  /** The main container. */
  readonly container: ContainerSpec;
  /** In the order they start: all `init` ones, then all `sidecar` ones. Absent: none. */
  readonly companions?: readonly CompanionSpec[];
}
