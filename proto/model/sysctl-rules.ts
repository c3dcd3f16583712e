/** The sysctls that belong to one container, and the values that the kernel takes for them. */
import type { Violation } from './errors.ts';
import { quoted } from './printable.ts';
import type { ContainerSpec } from './service.ts';

/** Sysctls of the ipc and network namespaces. Source: Documentation/admin-guide/sysctl/{kernel,net}.rst; ipc_namespaces(7). */
const IPC_SYSCTLS: ReadonlySet<string> = new Set([
  'kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.sem', 'kernel.shmall', 'kernel.shmmax', 'kernel.shmmni', 'kernel.shm_rmid_forced',
]);
const NAMESPACED_SYSCTL = /^(?:fs\.mqueue\.[a-z_]+|net\.(?:core\.somaxconn|(?:ipv4|ipv6|unix)\.[A-Za-z0-9_.]+))$/;
const INT_MAX = 2_147_483_647;

/** Count and range of the numbers of a sysctl. */
interface Numbers {
  readonly count: number;
  readonly min: number;
  readonly max: number;
  /** The first is at most the second. */
  readonly isRange?: true;
}

/** Source: Linux 6.12, proc_dointvec_minmax in net/core/sysctl_net_core.c, net/ipv4/sysctl_net_ipv4.c, ipc/ipc_sysctl.c, ipc/mq_sysctl.c */
const NUMBERS: ReadonlyMap<string, Numbers> = new Map([
  ['net.core.somaxconn', { count: 1, min: 0, max: INT_MAX }],
  ['net.ipv4.ip_default_ttl', { count: 1, min: 1, max: 255 }],
  ['net.ipv4.ip_local_port_range', { count: 2, min: 1, max: 65_535, isRange: true }],
  ['net.ipv4.ip_unprivileged_port_start', { count: 1, min: 0, max: 65_535 }],
  ['net.ipv4.ping_group_range', { count: 2, min: 0, max: INT_MAX }],
  ['net.ipv4.tcp_rmem', { count: 3, min: 1, max: INT_MAX }],
  ['net.ipv4.tcp_wmem', { count: 3, min: 1, max: INT_MAX }],
  ['net.ipv4.tcp_syn_retries', { count: 1, min: 1, max: 127 }],
  ['net.ipv4.tcp_syncookies', { count: 1, min: 0, max: 2 }],
  ['net.ipv4.tcp_tw_reuse', { count: 1, min: 0, max: 2 }],
  ['fs.mqueue.msg_max', { count: 1, min: 1, max: 65_536 }],
  ['fs.mqueue.msg_default', { count: 1, min: 1, max: 65_536 }],
  ['fs.mqueue.msgsize_max', { count: 1, min: 128, max: 16_777_216 }],
  ['fs.mqueue.msgsize_default', { count: 1, min: 128, max: 16_777_216 }],
  ['kernel.shm_rmid_forced', { count: 1, min: 0, max: 1 }],
  ['kernel.shmmni', { count: 1, min: 0, max: 32_768 }],
  ['kernel.msgmni', { count: 1, min: 0, max: 32_768 }],
  ['kernel.msgmax', { count: 1, min: 0, max: INT_MAX }],
  ['kernel.msgmnb', { count: 1, min: 0, max: INT_MAX }],
  ['kernel.sem', { count: 4, min: 0, max: INT_MAX }],
]);

/** Those whose value is no list of numbers. Source: Documentation/networking/ip-sysctl.rst */
const TEXTS: ReadonlyMap<string, { readonly form: RegExp; readonly words: string }> = new Map([
  ...['net.ipv4.tcp_congestion_control', 'net.ipv4.tcp_allowed_congestion_control'].map(name =>
    [name, { form: /^[a-z0-9_-]{1,16}(?: [a-z0-9_-]{1,16})*$/, words: 'names such as cubic' }] as const),
  ['net.ipv4.ip_local_reserved_ports', { form: /^(?:\d{1,5}(?:-\d{1,5})?(?:,\d{1,5}(?:-\d{1,5})?)*)?$/, words: 'ports and ranges such as 8080,9000-9010' }],
  ['net.ipv4.tcp_fastopen_key', { form: /^[0-9a-f]{8}(?:-[0-9a-f]{8}){3}(?:,[0-9a-f]{8}(?:-[0-9a-f]{8}){3})?$/, words: 'a key such as 01234567-89abcdef-01234567-89abcdef' }],
]);
const STABLE_SECRET = /^net\.ipv6\.conf\.[^.]+\.stable_secret$/;
/** Settings of one interface take numbers below zero. */
const PER_INTERFACE = /^net\.ipv[46]\.(?:conf|neigh)\./;
const UNSIGNED = /^\d{1,20}(?:[ \t]\d{1,20})*$/;
const SIGNED = /^-?\d{1,20}(?:[ \t]-?\d{1,20})*$/;

export function isNamespacedSysctl(name: string): boolean {
  return IPC_SYSCTLS.has(name) || (NAMESPACED_SYSCTL.test(name) && !name.includes('..') && !name.endsWith('.'));
}

export function checkSysctls({ sysctls, security }: ContainerSpec, path: string): readonly Violation[] {
  return sysctls.flatMap(({ name, value }) => {
    const owner = name.startsWith('net.') ? 'network' : 'ipc';
    if (isNamespacedSysctl(name) && security.hostNamespaces.includes(owner)) {
      return [{ path, key: name, message: `${quoted(name)} would be the machine's own with ${owner}: host` }];
    }
    if (!isNamespacedSysctl(name)) {
      return [{ path, key: name, message: `${quoted(name)} is not a namespaced sysctl: it is not allowed under any profile` }];
    }
    const expected = expectedOf(name, value);
    return expected === undefined ? [] : [{ path, key: name, message: `${quoted(value)} is no value of ${name}: expected ${expected}` }];
  });
}

/** What the value has to be; undefined where it is that. */
function expectedOf(name: string, value: string): string | undefined {
  const text = TEXTS.get(name);
  if (text !== undefined) {
    return value.length <= 256 && text.form.test(value) ? undefined : text.words;
  }
  if (STABLE_SECRET.test(name)) {
    return /^[0-9a-f:]{2,39}$/.test(value) ? undefined : 'an IPv6 address';
  }
  const isNumbers = value.length <= 256 && (PER_INTERFACE.test(name) ? SIGNED : UNSIGNED).test(value);
  const numbers = NUMBERS.get(name);
  if (numbers === undefined) {
    return isNumbers ? undefined : 'a whole number, or several with a space between two';
  }
  return isNumbers && areIn(numbers, value.split(/[ \t]/).map(Number)) ? undefined : numbersText(numbers);
}

function areIn({ count, min, max, isRange }: Numbers, values: readonly number[]): boolean {
  const [first = 0, second = 0] = values;
  return values.length === count && values.every(value => value >= min && value <= max) && (isRange !== true || first <= second);
}

function numbersText({ count, min, max, isRange }: Numbers): string {
  const range = `${String(min)} to ${String(max)}`;
  return `${count === 1 ? `a whole number from ${range}` : `${String(count)} whole numbers from ${range} with a space between two`}${isRange === true ? ', the lower one first' : ''}`;
}
