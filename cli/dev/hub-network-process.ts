/** The kernel's side of a local cluster: network namespaces, links, pinned mount namespaces, the machine's port map. */
import { readFile } from 'node:fs/promises';
import { requireCommand, runCommand } from '#kit/command-process.ts';
import { hostRuleset, publishedPorts } from './host-ruleset.ts';
import type { HostRules } from './host-ruleset.ts';
import type { DevLayout, DevNode } from './layout.ts';

export type CutDirection = 'both' | 'in' | 'out';

/** nft table in a node's namespace that a one-way cut lives in. */
const CUT_TABLE = 'gantry_cut';

/**
 * One namespace for the hub's bridge, one for each node, one link from the machine into the hub.
 *
 * The bridge is not on the machine: a firewall there (Docker's FORWARD drop with br_netfilter) would kill bridged traffic.
 */
export async function createHubNetwork(layout: DevLayout): Promise<void> {
  const { hubNamespace: hub, hostLink } = layout;
  await ip(['netns', 'add', hub]);
  await ipBatch(hub, ['link set lo up', 'link add br0 type bridge', 'link set br0 up']);
  await ip(['link', 'add', hostLink, 'type', 'veth', 'peer', 'name', 'host', 'netns', hub]);
  await ipBatch(hub, ['link set host master br0 up']);
  await ip(['addr', 'add', `${layout.hostAddress}/24`, 'dev', hostLink]);
  await ip(['link', 'set', hostLink, 'up']);
  await setSetting(`net.ipv4.conf.${hostLink}.route_localnet`, '1');
  for (const node of layout.nodes) {
    await createNode(layout, node);
  }
}

async function createNode(layout: DevLayout, node: DevNode): Promise<void> {
  await ip(['netns', 'add', node.networkNamespace]);
  await ip(['-n', layout.hubNamespace, 'link', 'add', node.name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', node.networkNamespace]);
  await ipBatch(layout.hubNamespace, [`link set ${node.name} master br0 up`]);
  await ipBatch(node.networkNamespace, [
    'link set lo up', `addr add ${node.address}/24 dev eth0`, 'link set eth0 up', `route add default via ${layout.hostAddress}`,
  ]);
}

/**
 * Shell: in a private mount namespace of a hybrid host, an empty file system instead of the cgroup v2 tree: crun refuses that layout, and makes a plain
 * directory for each container in what it finds there, which without a mount is in the memory of the machine and outlives all.
 *
 * Source: crun 1.21, src/libcrun/cgroup-setup.c, enter_cgroup_v1()
 */
export const COVER_UNIFIED_GROUPS = 'if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified && mount -t tmpfs -o nosuid,nodev,noexec,mode=755 gantry /sys/fs/cgroup/unified; fi';

/**
 * One mount namespace a node, pinned to a file, without the cgroup v2 tree of a hybrid host.
 *
 * It outlives the agent, so that an agent started anew sees the mounts of the one before.
 * Source: unshare(1), "--mount[=file]": the file must be on a mount with private propagation
 */
export async function createMountNamespaces(layout: DevLayout): Promise<void> {
  const pins = `${layout.runDir}/mnt`;
  await requireCommand('mkdir', ['-p', pins]);
  await requireCommand('mount', ['--bind', pins, pins]);
  await requireCommand('mount', ['--make-private', pins]);
  for (const node of layout.nodes) {
    const file = `${pins}/${node.name}`;
    await requireCommand('touch', [file]);
    await requireCommand('unshare', [`--mount=${file}`, '--propagation', 'private', 'sh', '-c', COVER_UNIFIED_GROUPS]);
  }
}

/** Whether every namespace, link and mount of the cluster is there: a reboot removes them. */
export async function hasKernelSide(layout: DevLayout): Promise<boolean> {
  const namespaces = [layout.hubNamespace, ...layout.nodes.map(node => node.networkNamespace)];
  const pins = layout.nodes.map(node => `${layout.runDir}/mnt/${node.name}`);
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map(line => line.split(' ')[4]);
  const { exitCode } = await runCommand('ip', ['link', 'show', layout.hostLink]);
  return exitCode === 0 && [...namespaces.map(name => `/run/netns/${name}`), ...pins].every(path => mounts.includes(path));
}

/** Removes everything of the cluster that the kernel keeps; what is not there is fine. */
export async function removeHubNetwork(layout: DevLayout): Promise<void> {
  await runCommand('nft', ['delete', 'table', 'ip', layout.hostTable]);
  await runCommand('ip', ['link', 'del', layout.hostLink]);
  for (const namespace of [...layout.nodes.map(node => node.networkNamespace), layout.hubNamespace]) {
    await runCommand('ip', ['netns', 'del', namespace]);
  }
}

export async function removeMountNamespaces(layout: DevLayout): Promise<void> {
  const pins = `${layout.runDir}/mnt`;
  for (const node of layout.nodes) {
    await runCommand('umount', [`${pins}/${node.name}`]);
  }
  await runCommand('umount', ['-l', pins]);
}

/** Puts the machine's port map in force, whole. */
export async function applyHostRules(rules: HostRules): Promise<void> {
  await requireCommand('nft', ['-f', '-'], { input: hostRuleset(rules) });
}

/** Whether the cluster has the TCP port of this machine published now. */
export async function hasPublished({ hostTable }: Pick<DevLayout, 'hostTable'>, port: number): Promise<boolean> {
  const { exitCode, stdout } = await runCommand('nft', ['list', 'table', 'ip', hostTable]);
  return exitCode === 0 && publishedPorts(stdout).some(one => one.protocol === 'tcp' && one.port === port);
}

/** Cuts a node off: its link down, or everything dropped in one direction. */
export async function cutNode(layout: DevLayout, node: DevNode, direction: CutDirection): Promise<void> {
  if (direction === 'both') {
    await ipBatch(layout.hubNamespace, [`link set ${node.name} down`]);
    return;
  }
  const hook = direction === 'in' ? 'ingress device "eth0" priority -500' : 'egress device "eth0" priority 500';
  const table = [`table netdev ${CUT_TABLE} {`, 'chain cut {', `type filter hook ${hook}; policy drop;`, '}', '}'].join('\n');
  await requireCommand('nsenter', [`--net=/run/netns/${node.networkNamespace}`, 'nft', '-f', '-'], { input: `${table}\n` });
}

/** Undoes every cut of the node. */
export async function healNode(layout: DevLayout, node: DevNode): Promise<void> {
  await ipBatch(layout.hubNamespace, [`link set ${node.name} up`]);
  await runCommand('nsenter', [`--net=/run/netns/${node.networkNamespace}`, 'nft', 'delete', 'table', 'netdev', CUT_TABLE]);
}

export async function readSetting(name: string): Promise<string> {
  return (await requireCommand('sysctl', ['-n', name])).trim();
}

export async function setSetting(name: string, value: string): Promise<void> {
  await requireCommand('sysctl', ['-qw', `${name}=${value}`]);
}

async function ip(args: readonly string[]): Promise<void> {
  await requireCommand('ip', args);
}

async function ipBatch(namespace: string, lines: readonly string[]): Promise<void> {
  await requireCommand('ip', ['-n', namespace, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}
