import { parseNameservers } from './dns/resolv-conf.ts';
import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import { availableParallelism, networkInterfaces, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { ClusterError } from '#model/errors.ts';
import type { Resources } from '#model/resources.ts';
import { readDiskUse } from './disk-fs.ts';
import { parsePressure } from './cgroup/cgroup-stats.ts';
import type { Pressure } from './runtime/ports.ts';

/** What the agent and the machine keep for themselves when no capacity is given. */
const RESERVED = { milliCpu: 100, memoryBytes: 256 * 1024 * 1024 } as const;

/** The rest is for images that no task needs, logs and what nobody asked for: fuller, the disk is cleaned (`--image-disk`). */
const DISK_SHARE = 0.85;

export const PASSABLE_MODE = 0o711;
/** Source: inode(7), S_IXOTH */
const OTHERS_PASS = 0o001;

/** Source: proc(5), /proc/sys/kernel/random/boot_id */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** Source: proc_sys_kernel(5), pid_max */
export async function readMaxPids(): Promise<number> {
  return Number((await readFile('/proc/sys/kernel/pid_max', 'utf8')).trim());
}

/** Source: sysfs-devices-system-cpu, /sys/devices/system/cpu/online */
export async function readCpus(): Promise<string> {
  return (await readFile('/sys/devices/system/cpu/online', 'utf8')).trim();
}

/** Undefined where the kernel was built or started without it. Source: Documentation/accounting/psi.rst */
export async function readPressure(): Promise<Pressure | undefined> {
  const read = async (name: string): Promise<number | undefined> => parsePressure(await readFile(`/proc/pressure/${name}`, 'utf8').catch(() => undefined));
  const [cpu, memory, io] = await Promise.all([read('cpu'), read('memory'), read('io')]);
  return cpu === undefined || memory === undefined || io === undefined ? undefined : { cpu, memory, io };
}

/** Without the disk. */
export function defaultCapacity(): Resources {
  return {
    milliCpu: Math.max(100, availableParallelism() * 1_000 - RESERVED.milliCpu),
    memoryBytes: Math.max(RESERVED.memoryBytes, totalmem() - RESERVED.memoryBytes),
  };
}

/** What tasks may ask for of the disk that has `stateDir`. */
export async function defaultDiskBytes(stateDir: string): Promise<number> {
  return Math.floor((await readDiskUse(stateDir)).totalBytes * DISK_SHARE);
}

/** The IPv4 address of the link that the default route uses. @throws ClusterError FAILED_PRECONDITION when there is none. Source: proc_net(5), route */
export async function defaultAddress(): Promise<string> {
  const routes = (await readFile('/proc/net/route', 'utf8')).split('\n').slice(1).map(line => line.split('\t'));
  const link = routes.find(([, destination]) => destination === '00000000')?.[0];
  const address = networkInterfaces()[link ?? '']?.find(one => one.family === 'IPv4')?.address;
  if (address === undefined) {
    throw new ClusterError('FAILED_PRECONDITION', 'the machine has no default route to take an address from: give --underlay-address');
  }
  return address;
}

/**
 * Makes a directory that a runtime in a container's user namespace can pass through; nobody can list it, and what is private below is
 * closed itself.
 *
 * @throws ClusterError FAILED_PRECONDITION naming the parent that nobody else can pass
 */
export async function makePassable(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: PASSABLE_MODE });
  // A read-only disk that is passable already keeps no agent from its containers.
  if (((await stat(directory)).mode & 0o777) !== PASSABLE_MODE) {
    await chmod(directory, PASSABLE_MODE);
  }
  for (let parent = dirname(directory); parent !== dirname(parent); parent = dirname(parent)) {
    if (((await stat(parent)).mode & OTHERS_PASS) === 0) {
      throw new ClusterError('FAILED_PRECONDITION', `${parent} has to be passable for containers (mode 0711): ${directory} is below it`);
    }
  }
}

/** Name servers that this machine asks, those on it left out: tasks do not reach them. */
export async function machineResolvers(): Promise<readonly string[]> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  return parseNameservers(text).filter(address => !address.startsWith('127.'));
}

/** Source: OCI image-spec, config.md: GOARCH words */
export function goArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}
