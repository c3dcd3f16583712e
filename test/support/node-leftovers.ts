import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { runCommand } from '#kit/command-process.ts';
import type { ClusterView, TaskView } from '#model/ports.ts';
import { isFinished } from '#model/task.ts';
import { cgroupMounts } from '../../cli/dev/cgroup-fs.ts';
import type { DevNode } from '../../cli/dev/layout.ts';
import type { DevCluster } from './dev-cluster.ts';
import { eventually } from './dev-cluster.ts';

/** `--pool` of a local cluster's agents. */
const POOL_SIZE = 4;
const KEPT_LOGS = 3;
const CONTAINER = /^gantry-([a-z2-7]{12})-\d+/;

/** What may be on one node: tasks that may have something running, and tasks that have a record. */
interface Claims {
  readonly live: ReadonlySet<string>;
  readonly known: ReadonlySet<string>;
  /** Addresses of live tasks of the whole cluster. */
  readonly addresses: ReadonlySet<string>;
  /** `namespace.app.service` of every Service. */
  readonly services: ReadonlySet<string>;
}

/**
 * What is on the nodes and belongs to no task that should be there (I8), each as one line: containers, monitors, control groups, slots,
 * links, mounts, firewall elements, names, files. Only while nothing changes is the answer exact: poll.
 */
export async function nodeLeftovers(cluster: DevCluster): Promise<readonly string[]> {
  const client = cluster.client();
  try {
    const view = await client.view({});
    const perNode = await Promise.all(cluster.layout.nodes.map(async node => {
      const found = await leftoversOf(cluster, node, claimsOf(view, node.name));
      return found.map(line => `${node.name}: ${line}`);
    }));
    return perNode.flat();
  } finally {
    client.close();
  }
}

/** Resolves once the nodes carry nothing that no task claims. @throws Error with what stays */
export async function settleNodes(cluster: DevCluster, limitMs = 60_000): Promise<void> {
  let left: readonly string[] = [];
  await eventually('nodes without leftovers', limitMs, async () => {
    left = await nodeLeftovers(cluster);
    return left.length === 0;
  }).catch((error: unknown) => { throw new Error(`left on the nodes:\n${left.join('\n')}`, { cause: error }); });
}

function claimsOf(view: ClusterView, node: string): Claims {
  const here = view.tasks.filter(({ task }) => task.node === node);
  return {
    live: new Set(here.filter(isLive).map(({ task }) => task.id)),
    known: new Set(here.map(({ task }) => task.id)),
    addresses: new Set(view.tasks.filter(isLive).map(({ status }) => status?.address ?? '')),
    services: new Set(view.services.map(({ service }) => `${service.namespace}.${service.app}.${service.name}`)),
  };
}

function isLive({ status }: TaskView): boolean {
  return status === undefined || !isFinished(status.phase);
}

async function leftoversOf(cluster: DevCluster, node: DevNode, claims: Claims): Promise<readonly string[]> {
  const run = `${cluster.layout.runDir}/${node.name}`;
  const state = `${cluster.layout.stateDir}/${node.name}/state`;
  const ofAttempts = [
    ...(await containers(run)), ...monitors(run), ...mounts(cluster, node),
    ...['bundles', 'runtime/records', 'runtime/exits'].flatMap(folder => entries(`${run}/${folder}`)), ...entries(`${state}/snapshots`),
  ];
  return [
    ...unclaimed('attempt', ofAttempts.map(one => ({ what: one, task: CONTAINER.exec(one.split(' ').at(-1) ?? '')?.[1] ?? '' })), claims.live),
    ...unclaimed('control group', (await controlGroups(node)).map(task => ({ what: task, task })), claims.live),
    ...unclaimed('files', entries(`${run}/volumes`).map(task => ({ what: task, task })), claims.live),
    ...unclaimed('record', entries(`${state}/tasks`).map(task => ({ what: task, task })), claims.known),
    ...unclaimed('name', entries(`${run}/dns/hosts`).map(task => ({ what: task, task })), claims.services),
    ...logs(state), ...trash(state), ...(await slots(cluster, node, claims)), ...(await ruleAddresses(cluster, node, claims)),
  ];
}

function unclaimed(kind: string, found: readonly { readonly what: string; readonly task: string }[], claims: ReadonlySet<string>): readonly string[] {
  return found.filter(({ task }) => !claims.has(task)).map(({ what }) => `${kind} ${what}`);
}

async function containers(run: string): Promise<readonly string[]> {
  const lists = await Promise.all(['crun', 'runc'].map(async runtime => (
    existsSync(`${run}/runtime/${runtime}/root`) ? (await runCommand(runtime, ['--root', `${run}/runtime/${runtime}/root`, 'list', '-q'])).stdout : ''
  )));
  return lists.flatMap(list => list.split('\n')).filter(line => line !== '').map(id => `container ${id}`);
}

function monitors(run: string): readonly string[] {
  const commands = readdirSync('/proc').filter(entry => /^\d+$/.test(entry)).map(commandOf);
  return commands.filter(words => words[0]?.endsWith('conmon') === true && words.some(word => word.startsWith(`${run}/`))).map(words => `monitor ${words[words.indexOf('--cid') + 1] ?? ''}`);
}

function commandOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // The process ended while we looked.
    return [];
  }
}

async function controlGroups(node: DevNode): Promise<readonly string[]> {
  const found = (await cgroupMounts()).flatMap(mount => directories(`${mount}/${node.scope}`));
  return [...new Set(found)];
}

/** Root file systems in the mount namespace of the agent; all else that is mounted is below a listed directory. */
function mounts(cluster: DevCluster, node: DevNode): readonly string[] {
  const { pid } = cluster.process(node.name);
  if (pid === undefined) {
    return [];
  }
  const targets = readFileSync(`/proc/${String(pid)}/mountinfo`, 'utf8').split('\n').map(line => line.split(' ')[4] ?? '');
  // The namespace of the node began as a copy of the machine's: mounts of others are in it too.
  const own = `${cluster.layout.stateDir}/${node.name}/state/snapshots/`;
  return targets.filter(target => target.startsWith(own)).map(target => `mount ${target.slice(own.length).split('/')[0] ?? ''}`);
}

function logs(state: string): readonly string[] {
  return entries(`${state}/tasks`).filter(task => entries(`${state}/tasks/${task}/logs`).length > KEPT_LOGS + 1).map(task => `more than ${String(KEPT_LOGS)} logs of ended attempts of ${task}`);
}

function trash(state: string): readonly string[] {
  return ['snapshots-trash', 'images/staging', 'images/trash', 'images/partials'].flatMap(folder => entries(`${state}/${folder}`).map(name => `${folder}/${name}`));
}

async function slots(cluster: DevCluster, node: DevNode, claims: Claims): Promise<readonly string[]> {
  const held = entries(`${cluster.layout.runDir}/${node.name}/slots`);
  const { stdout } = await cluster.onNode(node.name, 'ip', '-br', 'link');
  const links = stdout.split('\n').filter(line => new RegExp(`^${node.scope}t\\d+@`).test(line));
  return [
    ...(held.length > claims.live.size + POOL_SIZE ? [`${String(held.length)} slots for ${String(claims.live.size)} tasks`] : []),
    ...(links.length > held.length ? [`${String(links.length)} links for ${String(held.length)} slots`] : []),
  ];
}

/** Addresses of tasks that the proxy's rules still name. */
async function ruleAddresses(cluster: DevCluster, node: DevNode, claims: Claims): Promise<readonly string[]> {
  const { stdout } = await cluster.onNode(node.name, 'nft', 'list', 'table', 'ip', `gantry-${node.scope}-services`);
  const named = new Set([...stdout.matchAll(/\b10\.(?:12[89]|1[3-5]\d)\.\d+\.\d+\b(?!\/)/g)].map(([address]) => address));
  return [...named].filter(address => !claims.addresses.has(address)).map(address => `rule for ${address}`);
}

function entries(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function directories(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory()).map(entry => entry.name) : [];
}
