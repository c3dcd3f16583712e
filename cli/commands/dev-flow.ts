/** `dev ...`: the local cluster on this machine. */
import { chown, readFile, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { ClusterError } from '#model/errors.ts';
import { isLabel } from '#model/ids.ts';
import { describeLabelProblem } from '#model/app-rules.ts';
import { quoted } from '#model/printable.ts';
import { PROMETHEUS_URL, isPrometheusUrl } from '#model/prometheus-url.ts';
import { createControlClient } from '#rpc/control-client.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import { contextPath, loadContexts, replaceCertificate, saveContexts } from '../context-fs.ts';
import { withContext, withoutContext } from '../context.ts';
import { isCapacity } from '../dev/capacity.ts';
import { CertificateReloadLoop } from '../dev/certificate-reload-loop.ts';
import type { ClusterFile } from '../dev/cluster-file.ts';
import { statusItem, statusLines, statusTable } from '../dev/cluster-file.ts';
import { listClusters, readClusterFile, withReservation, writeClusterFile } from '../dev/cluster-fs.ts';
import { devDown, devDownAll, requireCluster, requireTraces } from '../dev/dev-down-flow.ts';
import { cutDevNode, freezeDevProcess, healDev, killDevProcess, startDevProcess } from '../dev/dev-fault-flow.ts';
import { devUp, findRunning, linkCommands } from '../dev/dev-up-flow.ts';
import { deployExample, nextSteps, requireFreePort } from '../dev/example-flow.ts';
import type { CutDirection } from '../dev/hub-network-process.ts';
import type { DevLayout } from '../dev/layout.ts';
import { PortMapLoop } from '../dev/port-map-loop.ts';
import type { DevParts } from '../dev/ports.ts';
import { controllerAddresses, processTable } from '../dev/process-table.ts';
import { SupervisorLoop } from '../dev/supervisor-loop.ts';
import { homeOwners, giveFile } from '../dev/user-fs.ts';
import { formatTable } from '../format/table.ts';
import { UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { printPlain, say } from './print-flow.ts';

export interface DevFlags {
  readonly nodes?: string;
  readonly controllers?: string;
  readonly times?: string;
  readonly capacity?: string;
  readonly agentOptions?: string;
  readonly prometheus?: string;
  readonly logLevel?: string;
  /** `--no-example`: false. */
  readonly example?: boolean;
  readonly all?: boolean;
  readonly direction?: string;
  readonly name?: string;
}

export const DEFAULT_CLUSTER = 'dev';
const DEFAULT_CAPACITY = 'cpu=4,memory=7Gi';
const COUNT_LIMIT = 9;
const LOG_LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error', 'silent'];

export async function devUpCommand(shell: Shell, name: string | undefined, flags: DevFlags): Promise<void> {
  requireRoot();
  const parts = await devParts(shell);
  const cluster = requireName(name);
  const hasExample = flags.example !== false;
  const known = (await readClusterFile(cluster))?.layout;
  const settings = {
    nodeCount: readCount('--nodes', flags.nodes, known?.nodes.length ?? 3),
    controllerCount: readCount('--controllers', flags.controllers, known?.controllers.length ?? 2), times: readTimes(flags),
    capacity: readCapacity(flags), agentOptions: flags.agentOptions ?? '', ...readPrometheus(flags), logLevel: readLogLevel(flags),
  };
  const running = await findRunning(cluster);
  if (running !== undefined) {
    await say(shell, `cluster ${cluster} is up already`);
    await shell.terminal.write(nextSteps(running));
    return;
  }
  if (hasExample) {
    await requireFreePort(cluster);
  }
  const file = await devUp({ name: cluster, hasExample, ...settings }, parts);
  if (!hasExample) {
    await say(shell, `cluster ${cluster} is up: ${controllerAddresses(file.layout).join(', ')}`);
    return;
  }
  await linkCommands(file, parts.binDir);
  await deployExample(file, parts, shell.terminal);
}

export async function devDownCommand(shell: Shell, name: string | undefined, flags: DevFlags): Promise<void> {
  requireRoot();
  const parts = await devParts(shell);
  if (flags.all === true) {
    const removed = await devDownAll(parts);
    await (removed.length === 0 ? say(shell, 'no local cluster is on this machine') : undefined);
    return;
  }
  const cluster = requireName(name);
  await requireTraces(cluster);
  await devDown(cluster, parts);
  await say(shell, `cluster ${cluster} removed`);
}

export async function devStatusCommand(shell: Shell, name: string | undefined): Promise<void> {
  const file = await requireCluster(await chooseCluster(shell, name));
  const { output } = shell.options;
  if (output === 'json' || output === 'yaml') {
    await printPlain(shell, statusItem(file));
    return;
  }
  await shell.terminal.write(output === 'name' ? file.processes.map(process => `${process.name}\n`).join('') : `${formatTable(statusTable(file))}${statusLines(file)}`);
}

/** Runs until it is ended: what systemd is on a real machine. */
export async function devSuperviseCommand(shell: Shell, name: string, flags: DevFlags): Promise<void> {
  const parts = await devParts(shell);
  const current = await requireCluster(name);
  const file = { ...current, supervisorPid: process.pid };
  await writeClusterFile(file);
  const specs = processTable(file.layout, {
    binDir: parts.binDir, times: readTimes(flags), capacity: readCapacity(flags), agentOptions: flags.agentOptions ?? '', ...readPrometheus(flags), logLevel: readLogLevel(flags),
  });
  await superviseLoops({
    processes: new SupervisorLoop(file, specs, shell.clock),
    portMap: new PortMapLoop(file.layout, async () => await parts.connect(file.layout), shell.clock),
    certificates: new CertificateReloadLoop(file.layout, async () => { await withReservation(parts, async () => { await renewContexts(file, shell); }); }, shell.clock),
  }, shell.signal);
}

export async function devKillCommand(shell: Shell, process: string, flags: DevFlags): Promise<void> {
  const cluster = await chooseCluster(shell, flags.name);
  await killDevProcess(cluster, process);
  await say(shell, `${process} killed; it stays down until: clusterctl dev start ${process}${inCluster(cluster)}`);
}

export async function devStartCommand(shell: Shell, process: string, flags: DevFlags): Promise<void> {
  await startDevProcess(await chooseCluster(shell, flags.name), process, await devParts(shell));
  await say(shell, `${process} started`);
}

export async function devFreezeCommand(shell: Shell, process: string, flags: DevFlags): Promise<void> {
  const cluster = await chooseCluster(shell, flags.name);
  await freezeDevProcess(cluster, process);
  await say(shell, `${process} frozen; let it continue with: clusterctl dev heal ${process}${inCluster(cluster)}`);
}

export async function devCutCommand(shell: Shell, node: string, flags: DevFlags): Promise<void> {
  const directions: readonly CutDirection[] = ['both', 'in', 'out'];
  const direction = directions.find(one => one === (flags.direction ?? 'both'));
  if (direction === undefined) {
    throw new UsageError(`--direction ${flags.direction ?? ''} is none of both, in, out`);
  }
  const cluster = await chooseCluster(shell, flags.name);
  await cutDevNode(cluster, node, direction);
  await say(shell, `${node} cut off (${direction}); undo with: clusterctl dev heal ${node}${inCluster(cluster)}`);
}

export async function devHealCommand(shell: Shell, name: string | undefined, flags: DevFlags): Promise<void> {
  await healDev(await chooseCluster(shell, flags.name), name);
  await say(shell, `${name ?? 'everything'} healed`);
}

export async function devLogsCommand(shell: Shell, process: string, flags: DevFlags): Promise<void> {
  const { layout } = await requireCluster(await chooseCluster(shell, flags.name));
  if (!isLabel(process)) {
    throw new ClusterError('INVALID_ARGUMENT', describeLabelProblem(process));
  }
  const logs = `${layout.stateDir}/logs`;
  await shell.terminal.write(await readFile(`${logs}/${process}.log`).catch(async () => {
    const known = (await readdir(logs)).map(file => path.basename(file, '.log')).sort();
    throw new ClusterError('NOT_FOUND', `${process} has no log in this cluster; there is: ${known.join(', ')}`);
  }));
}

function requireRoot(): void {
  if (process.getuid?.() !== 0) {
    throw new ClusterError('PERMISSION_DENIED', 'a local cluster makes network namespaces and mounts: run it as root, or with sudo');
  }
}

/** What a command about the same cluster needs besides. */
function inCluster(cluster: string): string {
  return cluster === DEFAULT_CLUSTER ? '' : ` --name ${cluster}`;
}

/**
 * The local cluster by that name; without one that of the context, and the default one where the current context is no local cluster.
 *
 * @throws ClusterError NOT_FOUND where --context or $GANTRY_CONTEXT names what is no local cluster
 */
async function chooseCluster(shell: Shell, name: string | undefined): Promise<string> {
  if (name !== undefined) {
    return requireName(name);
  }
  const asked = shell.options.context ?? shell.environment.get('GANTRY_CONTEXT');
  const context = asked ?? (await loadContexts(contextPath(shell.environment))).current;
  const known = await listClusters();
  if (context !== undefined && known.includes(context)) {
    return context;
  }
  if (asked !== undefined) {
    throw new ClusterError('NOT_FOUND', `context ${quoted(asked)} is no local cluster of this machine; ${known.length === 0 ? 'make one with: clusterctl dev up' : `choose one with --name: ${known.join(', ')}`}`);
  }
  return DEFAULT_CLUSTER;
}

function requireName(name: string | undefined): string {
  const cluster = name ?? DEFAULT_CLUSTER;
  // Short, so that socket paths below it stay within 107 bytes.
  if (!isLabel(cluster) || cluster.length > 12) {
    throw new ClusterError('INVALID_ARGUMENT', `cluster name ${JSON.stringify(cluster)} is not an RFC 1123 label of at most 12 characters`);
  }
  return cluster;
}

function readCount(flag: string, text: string | undefined, fallback: number): number {
  const count = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(count) || count < 1 || count > COUNT_LIMIT) {
    throw new UsageError(`${flag} is 1 to ${String(COUNT_LIMIT)}, got ${text ?? ''}`);
  }
  return count;
}

function readTimes({ times = 'default' }: DevFlags): 'default' | 'test' {
  if (times !== 'default' && times !== 'test') {
    throw new UsageError(`--times ${quoted(times)} is none of default, test`);
  }
  return times;
}

function readCapacity({ capacity = DEFAULT_CAPACITY }: DevFlags): string {
  if (!isCapacity(capacity)) {
    throw new UsageError(`--capacity ${quoted(capacity)} is not cpu=N,memory=SIZE, with disk=SIZE where wanted, as in ${DEFAULT_CAPACITY}`);
  }
  return capacity;
}

function readLogLevel({ logLevel = 'info' }: DevFlags): string {
  if (!LOG_LEVELS.includes(logLevel)) {
    throw new UsageError(`--log-level ${quoted(logLevel)} is none of ${LOG_LEVELS.join(', ')}`);
  }
  return logLevel;
}

function readPrometheus({ prometheus }: DevFlags): { readonly prometheusUrl?: string } {
  if (prometheus !== undefined && !isPrometheusUrl(prometheus)) {
    throw new UsageError(`--prometheus is ${PROMETHEUS_URL}, got ${prometheus}`);
  }
  return prometheus === undefined ? {} : { prometheusUrl: prometheus };
}

async function devParts(shell: Shell): Promise<DevParts> {
  const binDir = path.resolve(await realpath(import.meta.dirname), import.meta.dirname.endsWith('dist') ? '../deploy/bin' : '../../deploy/bin');
  return {
    clock: shell.clock,
    binDir,
    say: async line => { await say(shell, line); },
    connect: connectOperator,
    saveContext: async layout => { await saveContext(layout, shell); },
    contextFiles: async () => await contextFiles(shell),
    removeContext: async (name, files) => { await removeContext(name, files, shell); },
    signal: shell.signal,
  };
}

async function connectOperator(layout: DevLayout): Promise<ReturnType<typeof createControlClient>> {
  return createControlClient({ controllers: controllerAddresses(layout), identity: await readOperator(layout) });
}

async function readOperator(layout: DevLayout): Promise<{ readonly caPem: string; readonly pair: { readonly certificatePem: string; readonly keyPem: string } }> {
  const pki = `${layout.stateDir}/pki/operator`;
  const [caPem, certificatePem, keyPem] = await Promise.all(['ca.pem', 'certificate.pem', 'key.pem'].map(async file => await readFile(`${pki}/${file}`, 'utf8')));
  return { caPem: caPem ?? '', pair: { certificatePem: certificatePem ?? '', keyPem: keyPem ?? '' } };
}

/** The key goes into the contexts file itself: the cluster's directory is root's alone. */
async function saveContext(layout: DevLayout, shell: Shell): Promise<void> {
  const { caPem, pair } = await readOperator(layout);
  for (const owner of await homeOwners(shell.environment)) {
    const file = contextPath(owner.environment);
    await saveContexts(file, withContext(await loadContexts(file), {
      name: layout.name,
      controllers: controllerAddresses(layout),
      ca: { kind: 'inline', pem: caPem },
      certificate: { kind: 'inline', pem: pair.certificatePem },
      key: { kind: 'inline', pem: pair.keyPem },
    }));
    await giveFile(file, owner);
  }
}

/** Puts the operator's renewed certificate into the contexts files that the cluster was written to. */
async function renewContexts({ layout, contextFiles: files = [] }: ClusterFile, shell: Shell): Promise<void> {
  const { pair: { certificatePem } } = await readOperator(layout);
  for (const file of files) {
    try {
      await renewContextIn(file, layout, certificatePem);
    } catch (error) {
      // The clusters' programs need none of it.
      await shell.terminal.writeError(`${file}: the renewed certificate of the operator was not written: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}

/** The file stays its owner's. */
async function renewContextIn(file: string, layout: DevLayout, certificatePem: string): Promise<void> {
  const context = (await loadContexts(file)).contexts.find(one => one.name === layout.name && one.certificate.kind === 'inline');
  if (context !== undefined) {
    const { uid, gid } = await stat(file);
    await replaceCertificate(file, context, certificatePem);
    await chown(file, uid, gid);
  }
}

async function contextFiles(shell: Shell): Promise<readonly string[]> {
  return (await homeOwners(shell.environment)).map(owner => contextPath(owner.environment));
}

/** Each file stays its owner's. */
async function removeContext(name: string, files: readonly string[], shell: Shell): Promise<void> {
  for (const path of new Set([...files, ...await contextFiles(shell)])) {
    const contexts = withoutContext(await loadContexts(path), name);
    if (contexts !== undefined) {
      const { uid, gid } = await stat(path);
      await saveContexts(path, contexts);
      await chown(path, uid, gid);
    }
  }
}
