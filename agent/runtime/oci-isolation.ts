/** What stands between a container and its machine, by its profile: namespaces, paths, the mounts every container has, device rules. */
import type { ContainerSpec, HostNamespace, SecuritySpec, SidecarNamespace } from '#model/service.ts';
import type { OciMount } from '../volume/ports.ts';

/** A device node that a container is given. */
export interface OciDevice {
  /** In the container. */
  readonly path: string;
  /** On the machine. */
  readonly source: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

/** Files that name the namespaces to join; a kind that is absent is the container's own. */
export type NamespacePaths = Readonly<Record<'user' | 'network', string> & Partial<Record<SidecarNamespace, string>>>;

const MASKED_PATHS = [
  '/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug', '/proc/scsi',
  '/proc/timer_list', '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware', '/sys/devices/system/cpu/cpu0/thermal_throttle',
];
/** The last: with cgroup v1 the runtimes leave the tmpfs that holds the hierarchies writable. */
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger', '/sys/fs/cgroup'];
/** null zero full random urandom tty ptmx pts/*. Source: Documentation/admin-guide/devices.txt */
const OWN_DEVICES = [[1, 3], [1, 5], [1, 7], [1, 8], [1, 9], [5, 0], [5, 2], [136, undefined]] as const;
const MIB = 1024 * 1024;

/** True where the container does not share the machine's. */
export function hasOwn(security: SecuritySpec, namespace: HostNamespace): boolean {
  return !security.hostNamespaces.includes(namespace);
}

/** Namespaces that are named are made or joined; one left out is the machine's. Source: OCI runtime-spec, config-linux.md, "Namespaces" */
export function namespaces(security: SecuritySpec, paths: NamespacePaths): readonly { readonly type: string; readonly path?: string }[] {
  const madeOrJoined = (type: SidecarNamespace): readonly { readonly type: string; readonly path?: string }[] =>
    (hasOwn(security, type) ? [{ type, ...(paths[type] === undefined ? {} : { path: paths[type] }) }] : []);
  return [
    ...(hasOwn(security, 'userns') ? [{ type: 'user', path: paths.user }] : []),
    ...(hasOwn(security, 'network') ? [{ type: 'network', path: paths.network }] : []),
    ...madeOrJoined('pid'), ...madeOrJoined('ipc'),
    { type: 'mount' },
    ...madeOrJoined('uts'), ...madeOrJoined('cgroup'),
  ];
}

/** Only a container with every capability (`cap_add: [ALL]`, profile `privileged`) sees /proc and /sys as the kernel shows them. */
export function maskedPaths(security: SecuritySpec): readonly string[] {
  return isOpen(security) ? [] : MASKED_PATHS;
}

export function readOnlyPaths(security: SecuritySpec): readonly string[] {
  return isOpen(security) ? [] : READONLY_PATHS;
}

function isOpen({ profile, capAdd }: SecuritySpec): boolean {
  return profile === 'privileged' && capAdd.includes('ALL');
}

/** Fresh file systems of every container, and `restricted`'s /tmp where none of `targets` is there. */
export function containerMounts({ security, shmSizeBytes }: ContainerSpec, targets: readonly string[]): readonly OciMount[] {
  const access = isOpen(security) ? 'rw' : 'ro';
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${String(shmSizeBytes)}`] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', access] },
    ...(security.profile === 'restricted' && !targets.includes('/tmp')
      ? [{ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'noexec', 'mode=1777', `size=${String(64 * MIB)}`] }]
      : []),
  ];
}

/** The device rules of its control group: nothing but its own and what it was given. */
export function deviceRules(devices: readonly OciDevice[]): readonly object[] {
  return [
    { allow: false, access: 'rwm' },
    ...OWN_DEVICES.map(([major, minor]) => ({ allow: true, type: 'c', major, ...(minor === undefined ? {} : { minor }), access: 'rwm' })),
    ...devices.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access })),
  ];
}
