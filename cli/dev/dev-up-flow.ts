/** `dev up`: a local cluster from nothing to nodes that are ready. */
import { access, constants, open, readFile } from 'node:fs/promises';
import { createSigningRequest } from '#identity/certificate-authority.ts';
import { parseJoinToken } from '#identity/join-token-parse.ts';
import { requireCommand, startProcess, TOOL_PATH } from '#kit/command-process.ts';
import { ClusterError } from '#model/errors.ts';
import type { ControlClient } from '#model/ports.ts';
import { joinCluster } from '#rpc/agent-client.ts';
import type { ClusterFile } from './cluster-file.ts';
import { createFiles, createRunDirs, hasJoined, otherClusterFiles, readClusterFile, withReservation, writeClusterFile, writeNodeIdentity } from './cluster-fs.ts';
import { devDown } from './dev-down-flow.ts';
import { endPrograms, findStopped } from './dev-resume-flow.ts';
import { EXAMPLE_URL } from './example-flow.ts';
import { createHubNetwork, createMountNamespaces, applyHostRules, readSetting, setSetting } from './hub-network-process.ts';
import { completeKeys } from './keys-fs.ts';
import { lastWords } from './last-words.ts';
import { devLayout, portsNeeded, portsOf } from './layout.ts';
import type { DevLayout, DevNode } from './layout.ts';
import { findFreePorts, findFreeUnderlay } from './machine-process.ts';
import type { DevParts } from './ports.ts';
import { isProcessOf } from './process-scan-fs.ts';
import { joinAddresses } from './process-table.ts';

export interface DevUpOptions {
  readonly name: string;
  readonly nodeCount: number;
  readonly controllerCount: number;
  readonly times: 'default' | 'test';
  readonly capacity: string;
  /** More options for each agent, as one text. */
  readonly agentOptions: string;
  /** Of the controllers. */
  readonly prometheusUrl?: string;
  readonly logLevel: string;
  /** Whether the example follows, with the commands linked into the machine's PATH. */
  readonly hasExample: boolean;
}

const READY_LIMIT_MS = 60_000;
const LOOK_MS = 50;
const FORWARDING = 'net.ipv4.ip_forward';
const LINKED_COMMANDS = ['clusterctl', 'gantry'];

/** The cluster of this name while its supervisor lives. */
export async function findRunning(name: string): Promise<ClusterFile | undefined> {
  const file = await readClusterFile(name);
  return file?.supervisorPid !== undefined && isProcessOf(file.layout, file.supervisorPid) ? file : undefined;
}

/**
 * Answers when every node is ready. A cluster of this name whose supervisor is dead continues with its data;
 * what is left of one that was never complete is removed first; one that runs is left alone.
 */
export async function devUp(options: DevUpOptions, parts: DevParts): Promise<ClusterFile> {
  if (await findRunning(options.name) !== undefined) {
    throw new ClusterError('ALREADY_EXISTS', `cluster ${options.name} is up; see: clusterctl dev status ${options.name}`);
  }
  const stopped = await findStopped(options.name);
  if (stopped !== undefined) {
    requireSameSize(stopped, options);
    await parts.say(`cluster ${options.name} is there without its supervisor; continuing with its Apps, images and data`);
  }
  const layout = stopped === undefined ? await newLayout(options, parts) : stopped.layout;
  try {
    await (stopped === undefined ? prepareMachine(layout) : withReservation(parts, async () => { await prepareAgain(stopped, options, parts); }));
    await bringUp(layout, options, parts);
  } catch (error) {
    const logs = `${layout.stateDir}/logs`;
    throw new ClusterError('FAILED_PRECONDITION', `cluster ${options.name} did not come up: ${error instanceof Error ? error.message : String(error)}; logs are in ${logs}; remove it with: clusterctl dev down ${options.name}`, { cause: error });
  }
  const file = await readClusterFile(options.name);
  if (file === undefined) {
    throw new Error(`cluster ${options.name} has lost its cluster.json`);
  }
  return file;
}

/** @throws ClusterError FAILED_PRECONDITION where other counts are asked for than the cluster has */
function requireSameSize({ layout }: ClusterFile, options: DevUpOptions): void {
  const has = `${String(layout.nodes.length)} nodes and ${String(layout.controllers.length)} controllers`;
  if (layout.nodes.length !== options.nodeCount || layout.controllers.length !== options.controllerCount) {
    throw new ClusterError('FAILED_PRECONDITION', `cluster ${layout.name} has ${has}; leave --nodes and --controllers out to continue it, or remove it and its data: clusterctl dev down ${layout.name}`);
  }
}

async function newLayout(options: DevUpOptions, parts: DevParts): Promise<DevLayout> {
  await devDown(options.name, { ...parts, say: () => Promise.resolve() });
  return await withReservation(parts, async () => await reserveLayout(options, parts));
}

async function prepareAgain(stopped: ClusterFile, { hasExample }: DevUpOptions, parts: DevParts): Promise<void> {
  const { layout } = stopped;
  await writeClusterFile({ ...stopped, contextFiles: await parts.contextFiles(), ...(hasExample ? { links: LINKED_COMMANDS, url: EXAMPLE_URL } : {}) });
  const isMachineReady = await endPrograms(stopped);
  await completeKeys(layout, parts.clock.nowMs());
  if (isMachineReady) {
    return;
  }
  await createRunDirs(layout);
  await prepareMachine(layout);
}

/** Addresses and ports that no other cluster has, written down at once. */
async function reserveLayout(options: DevUpOptions, parts: DevParts): Promise<DevLayout> {
  const others = await otherClusterFiles(options.name);
  const layout = devLayout({
    ...options,
    underlayIndex: await findFreeUnderlay(new Set(others.map(file => file.layout.underlayIndex))),
    ports: await findFreePorts(portsNeeded(options.controllerCount), new Set(others.flatMap(file => portsOf(file.layout)))),
  });
  await createFiles(layout, parts.clock.nowMs());
  const previous = await readSetting(FORWARDING);
  await writeClusterFile({ layout, processes: [], previousSettings: previous === '1' ? {} : { [FORWARDING]: previous }, contextFiles: await parts.contextFiles(), ...(options.hasExample ? { links: LINKED_COMMANDS, url: EXAMPLE_URL } : { links: [] }) });
  return layout;
}

/** The kernel's side of the cluster. */
async function prepareMachine(layout: DevLayout): Promise<void> {
  await createHubNetwork(layout);
  await setSetting(FORWARDING, '1');
  await createMountNamespaces(layout);
  await applyHostRules({ table: layout.hostTable, link: layout.hostLink, underlay: layout.underlay, ports: [], nodes: [] });
}

async function bringUp(layout: DevLayout, options: DevUpOptions, parts: DevParts): Promise<void> {
  await startSupervisor(layout, options, parts);
  await parts.say('waiting for the controllers');
  const client = await parts.connect(layout);
  try {
    await waitFor('a leader among the controllers', async () => (await client.clusterStatus()).leader !== undefined, parts);
    for (const node of layout.nodes.filter(one => !hasJoined(layout, one))) {
      // The controller that answers may lead before the one that is asked here listens.
      await waitFor(`${node.name} to join`, async () => {
        await joinNode(layout, node, client);
        return true;
      }, parts);
    }
    await parts.say('waiting for the nodes');
    await waitForNodes(layout, client, parts);
  } finally {
    client.close();
  }
  // Another cluster of this machine may be writing the same file.
  await withReservation(parts, async () => { await parts.saveContext(layout); });
}

/** @throws Error with what each of those that are not ready has to say */
async function waitForNodes(layout: DevLayout, client: ControlClient, parts: DevParts): Promise<void> {
  let missing = layout.nodes;
  try {
    await waitFor('every node to be ready', async () => {
      const { nodes } = await client.view({});
      missing = layout.nodes.filter(({ name }) => !nodes.some(({ node }) => node.id === name && node.condition === 'ready'));
      return missing.length === 0;
    }, parts);
  } catch (error) {
    const said = await Promise.all(missing.map(async ({ name }) => `${name} says: ${lastWords(await readFile(`${layout.stateDir}/logs/${name}.log`, 'utf8').catch(() => '')) ?? 'nothing'}`));
    throw new Error([(error as Error).message, ...said].join('; '), { cause: error });
  }
}

/** The supervisor is this program again, in a session of its own. */
async function startSupervisor(layout: DevLayout, options: DevUpOptions, parts: DevParts): Promise<void> {
  const log = await open(`${layout.stateDir}/logs/supervisor.log`, 'a');
  try {
    const child = startProcess(`${parts.binDir}/clusterctl`, [
      'dev', 'supervise', layout.name, '--times', options.times, '--capacity', options.capacity, '--log-level', options.logLevel, `--agent-options=${options.agentOptions}`,
      ...(options.prometheusUrl === undefined ? [] : ['--prometheus', options.prometheusUrl]),
      // Not read: names the process for whoever looks for processes of this cluster.
      '--state-dir', `${layout.stateDir}/`,
    ], { detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/', env: { PATH: TOOL_PATH, LC_ALL: 'C', HOME: '/root' } });
    child.unref();
  } finally {
    await log.close();
  }
}

/** The same exchange as `clusterctl join` makes on a machine of its own. */
async function joinNode(layout: DevLayout, node: DevNode, client: ControlClient): Promise<void> {
  const { token } = await client.createToken({ ttlMs: READY_LIMIT_MS, role: 'node' });
  const { csrPem, keyPem } = await createSigningRequest();
  const [address = ''] = joinAddresses(layout);
  const issued = await joinCluster({ address, token, caSha256: parseJoinToken(token).caSha256, nodeName: node.name, csrPem });
  await writeNodeIdentity(layout, node, { caPem: issued.caPem, certificatePem: issued.certificatePem, keyPem });
}

/** Polls until `holds`; a controller that is not up yet counts as no. @throws Error naming what did not happen */
async function waitFor(what: string, holds: () => Promise<boolean>, parts: DevParts): Promise<void> {
  const deadlineMs = parts.clock.monotonicMs() + READY_LIMIT_MS;
  let last = '';
  while (parts.clock.monotonicMs() < deadlineMs) {
    try {
      if (await holds()) {
        return;
      }
    } catch (error) {
      if (!(error instanceof ClusterError)) {
        throw error;
      }
      last = `: ${error.message}`;
    }
    await parts.clock.sleep(LOOK_MS, parts.signal);
  }
  throw new Error(`waited ${String(READY_LIMIT_MS / 1000)} s for ${what}${last}`);
}

/** Links the commands into /usr/local/bin; cluster.json has noted them, so that `dev down` of the last cluster that did takes them away again. One that leads to another cluster's launcher stays. */
export async function linkCommands({ layout }: ClusterFile, binDir: string): Promise<void> {
  const others = await otherClusterFiles(layout.name);
  for (const link of LINKED_COMMANDS) {
    const path = `/usr/local/bin/${link}`;
    if (!others.some(({ links }) => links.includes(link)) || !await isExecutable(path)) {
      await requireCommand('ln', ['-sfn', `${binDir}/clusterctl`, path]);
    }
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(() => true, () => false);
}
