/** What each profile allows (reliability 9), and the kernel's capabilities. */
import type { Violation } from './errors.ts';
import { quoted } from './printable.ts';
import type { ContainerSpec, HostNamespace, SecuritySpec } from './service.ts';
import { checkSysctls } from './sysctl-rules.ts';

/** Source: capabilities(7), Linux 6.12. */
const CAPABILITIES: ReadonlySet<string> = new Set([
  'AUDIT_CONTROL', 'AUDIT_READ', 'AUDIT_WRITE', 'BLOCK_SUSPEND', 'BPF', 'CHECKPOINT_RESTORE', 'CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH',
  'FOWNER', 'FSETID', 'IPC_LOCK', 'IPC_OWNER', 'KILL', 'LEASE', 'LINUX_IMMUTABLE', 'MAC_ADMIN', 'MAC_OVERRIDE', 'MKNOD', 'NET_ADMIN',
  'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_RAW', 'PERFMON', 'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYSLOG', 'SYS_ADMIN', 'SYS_BOOT',
  'SYS_CHROOT', 'SYS_MODULE', 'SYS_NICE', 'SYS_PACCT', 'SYS_PTRACE', 'SYS_RAWIO', 'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'WAKE_ALARM',
]);

/** The whole set of profile `baseline`, and what `privileged` begins with. */
export const BASELINE_CAPABILITIES = [
  'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'SETFCAP', 'NET_BIND_SERVICE', 'SYS_CHROOT',
] as const;
/** What `cap_add` may name; `ALL` stands for itself. */
const ADDABLE: Readonly<Record<SecuritySpec['profile'], readonly string[]>> = {
  restricted: ['NET_BIND_SERVICE'],
  baseline: BASELINE_CAPABILITIES,
  privileged: ['ALL', ...CAPABILITIES],
};
/**
 * Their file systems (proc, sysfs, mqueue) can only be mounted from the user namespace that owns them.
 * Source: mount_namespaces(7); user_namespaces(7), "Capabilities"
 */
const NEEDS_HOST_IDS: readonly HostNamespace[] = ['pid', 'ipc', 'network'];

/** Largest id the kernel's interfaces here carry without trouble (reliability 9). */
export const MAX_ID = 2_147_483_647;
const USER = /^(?:[a-z_][a-z0-9_-]{0,31}|\d{1,10})(?::(?:[a-z_][a-z0-9_-]{0,31}|\d{1,10}))?$/;

export function checkSecurity(container: ContainerSpec, path: string): readonly Violation[] {
  const { security } = container;
  return [
    ...checkUser(security, `${path}.security.user`),
    ...(security.profile === 'restricted' && !security.readOnly
      ? [{ path: `${path}.security.read_only`, message: "must be true in profile 'restricted'" }] : []),
    ...security.capDrop.flatMap((name, index) => (name === 'ALL' || CAPABILITIES.has(name) ? [] : [unknownCapability(name, `${path}.security.cap_drop[${String(index)}]`)])),
    ...security.capAdd.flatMap((name, index) => checkAdded(name, security.profile, `${path}.security.cap_add[${String(index)}]`)),
    ...checkHostNamespaces(container, path),
    ...checkOpenings(security, `${path}.security`),
    ...checkSysctls(container, `${path}.sysctls`),
  ];
}

/** Capabilities of the container in order: what its profile begins with less the drops, then what is added. */
export function grantedCapabilities(security: SecuritySpec): readonly string[] {
  const add = security.capAdd.includes('ALL') ? [...CAPABILITIES] : security.capAdd;
  const drops = new Set(security.capDrop);
  const base = security.profile === 'restricted' || drops.has('ALL') ? [] : BASELINE_CAPABILITIES.filter(name => !drops.has(name));
  const added = security.capAdd.includes('ALL') ? add.filter(name => !drops.has(name)) : add;
  return [...new Set([...base, ...added])].sort();
}

/** The first capability asked for that the profile does not give. */
export function refusedCapability({ capAdd, profile }: SecuritySpec): string | undefined {
  return capAdd.find(name => !ADDABLE[profile].includes(name));
}

function checkHostNamespaces(container: ContainerSpec, path: string): readonly Violation[] {
  const { security } = container;
  const shared = security.hostNamespaces;
  const isHost = (name: HostNamespace): boolean => shared.includes(name);
  const refuse = (name: string, message: string): Violation => ({ path: `${path}.security.${name}`, message });
  return [
    ...(security.profile === 'privileged' ? [] : shared.map(name => refuse(name, `host is not allowed in profile '${security.profile}'; it takes profile privileged`))),
    ...shared.filter(name => NEEDS_HOST_IDS.includes(name) && !isHost('userns')).map(name => refuse(name, 'host needs userns: host too')),
    ...(isHost('network') && container.ports.length > 0 ? [{ path: `${path}.ports`, message: "a service with network: host listens on the node's own ports; leave ports out" }] : []),
    ...(isHost('uts') && container.hostname !== undefined ? [{ path: `${path}.hostname`, message: "a service with uts: host has the node's name; leave hostname out" }] : []),
  ];
}

function checkOpenings({ profile, mayGainPrivileges, isUnconfined }: SecuritySpec, path: string): readonly Violation[] {
  if (profile === 'privileged') {
    return [];
  }
  return [
    ...(mayGainPrivileges ? [{ path: `${path}.no_new_privileges`, message: `must be true in profile '${profile}'` }] : []),
    ...(isUnconfined ? [{ path: `${path}.seccomp`, message: `must be default in profile '${profile}'` }] : []),
  ];
}

function checkUser({ user, profile }: SecuritySpec, path: string): readonly Violation[] {
  if (user === undefined) {
    return profile !== 'restricted' ? [] : [{ path, message: "required in profile 'restricted': a uid other than 0" }];
  }
  if (!USER.test(user)) {
    return [{ path, message: `invalid user ${quoted(user)}; it is a name or uid, with :group or :gid` }];
  }
  if (user.split(':').some(part => /^\d+$/.test(part) && Number(part) > MAX_ID)) {
    return [{ path, message: `an id is at most ${String(MAX_ID)}` }];
  }
  const isNonZeroUid = /^0*[1-9]\d*(?::|$)/.test(user);
  return profile === 'restricted' && !isNonZeroUid ? [{ path, message: "must be a uid other than 0 in profile 'restricted'" }] : [];
}

function checkAdded(name: string, profile: SecuritySpec['profile'], path: string): readonly Violation[] {
  if (!CAPABILITIES.has(name) && name !== 'ALL') {
    return [unknownCapability(name, path)];
  }
  return ADDABLE[profile].includes(name) ? []
    : [{ path, message: `capability ${name} is not allowed in profile '${profile}'; allowed: ${ADDABLE[profile].join(' ')}` }];
}

function unknownCapability(name: string, path: string): Violation {
  return { path, message: `unknown capability ${quoted(name)}` };
}

