import { randomUUID } from 'node:crypto';
import { systemClock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { Digest } from '#model/digest.ts';
import type { TaskId } from '#model/ids.ts';
import { ClusterError } from '#model/errors.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { authorityEnd, certificateEnd, certificateSha256 } from '#identity/certificate-rules.ts';
import { IdentityHolder } from '#rpc/identity-holder.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { AssignmentFs } from './assignment-fs.ts';
import { EMPTY_DESIRED_SET } from './assignment.ts';
import type { DesiredSet } from './assignment.ts';
import { AuditLoop } from './audit-loop.ts';
import { CertificateLoop } from './certificate-loop.ts';
import type { AgentConfig } from './config.ts';
import { ControllerClient } from './controller-client.ts';
import { DeadmanLoop } from './deadman/deadman-loop.ts';
import { readDiskSpace, readDiskUse, readFileUse } from './disk-fs.ts';
import { EndpointsLoop } from './endpoints-loop.ts';
import { firstControllers } from './first-controllers.ts';
import { forgetIdentity, writeIdentity } from './identity-fs.ts';
import type { NodeIdentity } from './identity-fs.ts';
import { BackedOffImages } from './image/backed-off-images-flow.ts';
import { withRoomMade } from './image/make-room-flow.ts';
import { PruneLoop } from './image/prune-loop.ts';
import { NodeImages } from './image/node-images-flow.ts';
import type { PullRequest } from './image/ports.ts';
import { TimedImages } from './image/timed-images-flow.ts';
import { inspectTask } from './inspect-flow.ts';
import { InstanceFs } from './instance-fs.ts';
import { haveIdentity } from './join-flow.ts';
import { readJoined } from './joined-fs.ts';
import type { Joined } from './joined-fs.ts';
import { leaveCluster } from './leave-flow.ts';
import { trimHeap } from './kernel/heap-syscall.ts';
import { ListeningLoop } from './listening-loop.ts';
import { ASIDE_LOG_BYTES } from './logs/aside-log-fs.ts';
import { seeFullLog } from './logs/full-log-fs.ts';
import { LostOutputLoop } from './logs/lost-output-loop.ts';
import { RotateLoop } from './logs/rotate-loop.ts';
import { readPressure } from './machine-fs.ts';
import { serveMetrics } from './metrics-server.ts';
import { AgentMetrics } from './metrics.ts';
import { readListeningPorts } from './network/host-ports-fs.ts';
import { readTaskLinkCounters } from './network/link-counters-fs.ts';
import { networkNames } from './network/link-names.ts';
import { readNamespaces } from './namespaces-fs.ts';
import { NewsLoop } from './news-loop.ts';
import { NodeLoop } from './node-loop.ts';
import { readNodeState, writeNodeState } from './node-state-fs.ts';
import type { NodeState } from './node-state-fs.ts';
import type { NodeFacts, SessionSink } from './ports.ts';
import { unmountPrograms } from './runtime/runtime-program-fs.ts';
import { SessionLoop } from './session-loop.ts';
import { claimState } from './state-owner-fs.ts';
import { realDirectory, removeTree } from './state-tree-fs.ts';
import { StorageLoop } from './storage-loop.ts';
import { pressureOf } from './task/attempt-end.ts';
import type { StartStep } from './task/ports.ts';
import type { TaskRecord } from './task/record.ts';
import { recoverTasks } from './task/recovery-flow.ts';
import { ReportBook } from './task/report-book.ts';
import { TaskSet } from './task/task-set-loop.ts';
import { tunnelOpener } from './tunnel-opener-flow.ts';
import { readSamples } from './usage-flow.ts';
import type { UsageSources } from './usage-flow.ts';
import { UsageLoop } from './usage-loop.ts';
import { desiredAsRecorded, statusSink, taskEvents, tasksByDigest } from './task-sinks-flow.ts';
import { openMachine, programsDir } from './machine-flow.ts';
import type { Machine } from './machine-flow.ts';
import { nodeFacts } from './node-facts-flow.ts';
import { VolumeRemovalLoop } from './volume/removal-loop.ts';

/** What all loops of one agent share. */
interface Shared {
  readonly config: AgentConfig;
  readonly log: Logger;
  readonly machine: Machine;
  readonly identity: IdentityHolder;
  /** The identity at the start. */
  readonly known: NodeIdentity;
  readonly client: ControllerClient;
  readonly reports: ReportBook;
  readonly metrics: AgentMetrics;
  readonly news: NewsLoop;
  readonly assignments: AssignmentFs;
  readonly held: DesiredSet | undefined;
  readonly nodeState: NodeState | undefined;
  readonly joined: Joined | undefined;
}

/** Loops that know each other. */
interface Core {
  readonly node: NodeLoop;
  readonly endpoints: EndpointsLoop;
  readonly session: SessionLoop;
  readonly removal: VolumeRemovalLoop;
  readonly listening: ListeningLoop;
}

/** Builds the agent and runs it until `signal` aborts; containers run on. @throws ClusterError when it cannot start */
export async function runAgent(given: AgentConfig, log: Logger, signal: AbortSignal): Promise<void> {
  const config = await withRealDirectories(given);
  const known = await haveIdentity(config, log, signal);
  await claimState(config.stateDir, { node: config.node, caSha256: certificateSha256(known.caPem) });
  const identity = new IdentityHolder(tlsOf(known));
  const client = new ControllerClient(identity.current);
  identity.onRenewed(renewed => { client.useIdentity(renewed); });
  const assignments = new AssignmentFs(config.stateDir);
  const shared: Shared = {
    config, log, identity, known, client, assignments,
    machine: await openMachine(config, log, async request => await client.pullLogin(session.controllerAddress, loginOf(request))),
    reports: new ReportBook(),
    metrics: new AgentMetrics(),
    news: new NewsLoop({ clock: systemClock, send: news => session.sendNews(news) }),
    held: await assignments.load(),
    nodeState: await readNodeState(config.stateDir),
    joined: await readJoined(config.configDir),
  };
  ensureLogWriter(shared.machine, log);
  const facts = await nodeFacts(config, shared.machine);
  const named = (): ReadonlyMap<Digest, readonly TaskId[]> | undefined => node.isUp ? tasksByDigest(node.records, session.assignment, shared.machine.debugImages.all()) : undefined;
  const prune: PruneLoop = pruneLoop(shared, () => named()?.keys());
  const images: NodeImages = new NodeImages({ images: shared.machine.images, named });
  const node: NodeLoop = nodeLoop(shared, () => session, prune);
  const endpoints: EndpointsLoop = endpointsLoop(shared, () => session);
  const removal = new VolumeRemovalLoop({
    volumes: shared.machine.volumes, records: () => (node.isUp ? node.records : undefined), clock: systemClock, log, onAnswer: () => { session.poke(); },
  });
  const listening = new ListeningLoop({
    read: readListeningPorts, records: () => node.records, clock: systemClock, log, report: listeningPorts => { session.healthChanged({ listeningPorts }); },
  });
  const session: SessionLoop = sessionLoop(shared, facts, sessionSink(shared, { node, endpoints, images, removal }, signal), { node, removal, listening });
  if (shared.nodeState !== undefined) {
    await shared.machine.network.setManagers(managersOf(config, shared.nodeState.controllers));
    await node.bringUp(shared.nodeState.subnetIndex, signal);
  }
  await listening.start();
  await superviseLoops({ node, session, endpoints, prune, removal, listening, ...sideLoops(shared, { node, endpoints, session }) }, signal);
}

function nodeLoop(shared: Shared, session: () => SessionLoop, prune: PruneLoop): NodeLoop {
  const { config, log, machine, reports, held } = shared;
  const images = new TimedImages(new BackedOffImages(withRoomMade(machine.images, async () => { await prune.makeRoom(); }), systemClock, Math.random), systemClock, (outcome, durationMs) => { shared.metrics.observePull(outcome, durationMs); });
  const recover = async (): Promise<TaskSet> => {
    const parts = {
      ...machine, images, networkProblem: () => node.networkProblem(), node: config.node, log, clock: systemClock, random: Math.random,
      onStep: (step: StartStep, durationMs: number) => { shared.metrics.observeStep(step, durationMs); },
      permit: session(), statuses: statusSink(reports, session()), events: taskEvents(shared),
    };
    const recovered = await recoverTasks(parts, held);
    for (const stray of recovered.strays) {
      log.warn({ stray }, 'belonged to no task and was removed');
    }
    return new TaskSet(parts, recovered, held ?? desiredAsRecorded(recovered.records));
  };
  const onNetworkFault = (networkFault: string): void => {
    log[networkFault === '' ? 'info' : 'error']({ networkFault }, networkFault === '' ? 'the network of the node is there again' : 'the network of the node cannot be made; it is tried again, and gets no tasks meanwhile');
    session().healthChanged({ networkFault });
  };
  const node = new NodeLoop({ network: machine.network, proxy: machine.proxy, dns: machine.dns, recover, onNetworkFault });
  return node;
}

/** `HOST:PORT` of what tasks must not reach: `controllers` are those that the cluster named. */
function managersOf({ controllers: given, natsServers }: AgentConfig, controllers: readonly string[]): readonly string[] {
  return [...given, ...controllers, ...natsServers];
}

function pruneLoop({ config, log, machine, news }: Shared, named: () => Iterable<Digest> | undefined): PruneLoop {
  const { images } = machine;
  const onPruned = (message: string): void => {
    const atMs = systemClock.nowMs();
    log.info({ node: config.node }, message);
    news.publishEvent({ type: 'normal', object: `node/${config.node}`, reason: 'ImagesPruned', message, firstAtMs: atMs, lastAtMs: atMs, count: 1 });
  };
  return new PruneLoop({
    images, named, onPruned, clock: systemClock, log, disk: async () => await readDiskUse(images.statePath),
    limits: { unusedMs: config.imageUnusedMs, diskPercent: config.imageDiskPercent },
  });
}

function endpointsLoop({ config, log, machine }: Shared, session: () => SessionLoop): EndpointsLoop {
  return new EndpointsLoop([
    async set => { await machine.proxy.apply(set); },
    async set => { await machine.dns.apply(set); },
    async set => { await machine.network.setPeers(set.nodes.filter(peer => peer.id !== config.node)); },
  ], generation => { session().endpointsApplied(generation); }, { clock: systemClock, log });
}

function sessionSink({ config, machine, client, log }: Shared, { node, endpoints, images, removal }: Omit<Core, 'session' | 'listening'> & { readonly images: NodeImages }, signal: AbortSignal): SessionSink {
  return {
    registered: async ({ subnetIndex, times, controllers, joinAddresses }) => {
      await machine.network.setManagers(managersOf(config, controllers));
      await node.bringUp(subnetIndex, signal);
      await writeNodeState(config.stateDir, { subnetIndex, times, controllers, joinAddresses }).catch((error: unknown) => {
        // Only a start without a controller reads it, and each registration brings it again.
        if (pressureOf(error) === undefined) throw error;
        log.error({ err: error }, 'what the controllers said of this node could not be written');
      });
    },
    desired: set => {
      node.desire(set);
      removal.desire(set);
    },
    foreseen: (set, kept) => { node.foresee(set, kept); },
    permitted: () => { node.wakeAll(); },
    heard: () => { node.wakeExclusive(); },
    endpoints: set => { endpoints.offer(set); },
    openTunnel: tunnelOpener({
      find: task => node.find(task),
      images,
      dialBack: (address, tunnelId, ended) => client.tunnel(address, tunnelId, ended),
      records: machine.records,
      services: {
        ...machine.tunnelServices,
        stats: {
          clock: systemClock,
          read: async (tasks, withWritable) => await readSamples(node.records.filter(({ task }) => tasks.includes(task.id)), { ...usageSources(config, machine), ...machine, node: config.node, clock: systemClock }, withWritable),
        },
        inspect: async task => await inspectTask(requireRecord(node, task), {
          node: config.node, cgroups: machine.cgroups, snapshots: machine.snapshots, volumes: machine.volumes, records: machine.records, readConfig: id => machine.bundles.readConfig(id), readNamespaces,
        }),
      },
      debug: machine,
    }),
  };
}

function sessionLoop({ config, log, client, machine: { deadman }, assignments, reports, held, joined, nodeState }: Shared, facts: NodeFacts, sink: SessionSink, { node, removal, listening }: Pick<Core, 'node' | 'removal' | 'listening'>): SessionLoop {
  const heardAgoMs = deadman.heardAgoMs();
  return new SessionLoop({ volumeAnswers: () => removal.answers, facts, deadman, networkFault: () => node.networkFault, listeningPorts: () => listening.ports, dialer: client, held: assignments, reports, sink, instance: new InstanceFs(config.configDir, randomUUID), clock: systemClock, log, random: Math.random }, {
    controllers: firstControllers({ given: config.controllers, ...(joined === undefined ? {} : { joined }), ...(nodeState === undefined ? {} : { registered: nodeState }) }),
    joinAddresses: nodeState?.joinAddresses ?? [],
    times: nodeState?.times ?? DEFAULT_TIMES,
    held: held ?? EMPTY_DESIRED_SET,
    ...(heardAgoMs === undefined ? {} : { heardAgoMs }),
  });
}

function sideLoops({ config, log, machine, identity, known, client, metrics, news }: Shared, { node, endpoints, session }: Omit<Core, 'removal' | 'listening'>): Readonly<Record<string, Loop>> {
  const records = (): readonly TaskRecord[] => node.records;
  const controllerAddress = (): string | undefined => session.controllerAddress;
  // Without a name of one: the agent may have been given the listeners that it joined at.
  const joinAddresses = (): readonly string[] => (session.joinAddresses.length > 0 ? session.joinAddresses : config.controllers);
  const refused = async (message: string): Promise<void> => { await session.refused({ kind: 'refused', code: 'FAILED_PRECONDITION', message }); };
  const adopt = async (renewed: NodeIdentity): Promise<void> => {
    await writeIdentity(config.configDir, renewed);
    identity.renew(tlsOf(renewed));
  };
  metrics.observe({
    isConnected: () => controllerAddress() !== undefined, hasNetworkFault: () => node.networkFault !== '', droppedNewsCount: () => news.droppedCount, imageCount: () => machine.images.count(), pressure: readPressure,
    certificates: () => [certificateEnd('node', identity.current.pair?.certificatePem ?? known.certificatePem), authorityEnd('ca', identity.current.caPem)],
  });
  return {
    certificate: new CertificateLoop({ dialer: client, controllerAddress, joinAddresses, refused, adopt, clock: systemClock, log }, known),
    audit: new AuditLoop({
      ...machine, node, records, heap: { trim: trimHeap }, clock: systemClock, log,
      wakeTasks: () => { node.wakeAll(); },
      tell: what => { log.warn({ node: config.node }, what); },
      onRepaired: () => { endpoints.again(); },
    }),
    deadman: new DeadmanLoop({ deadman: machine.deadman, clock: systemClock, log, toldAtWork: () => session.health?.hasDeadman, tell: hasDeadman => { session.healthChanged({ hasDeadman }); } }),
    logs: new RotateLoop(async () => {
      ensureLogWriter(machine, log);
      await machine.runtime.rotateLogs(ASIDE_LOG_BYTES).catch((error: unknown) => { log.warn({ err: error }, 'logs not rotated; again at the next look'); });
    }, systemClock),
    lostOutput: new LostOutputLoop({ records, paths: machine.records, see: async (id, logPath, pid) => machine.runtime.hasLogPipe(id) ? machine.runtime.droppedOutput(id) : await seeFullLog(logPath, pid), onLost: (...told) => { node.tellLostOutput(...told); }, clock: systemClock, log }),
    storage: new StorageLoop({
      snapshots: machine.snapshots, records, fileUse: async () => await readFileUse(config.stateDir), space: async () => await readDiskSpace(config.stateDir), onExceeded: (...told) => { node.tellOverStorage(...told); }, clock: systemClock, log,
    }),
    usage: new UsageLoop({ ...usageSources(config, machine), node: config.node, records, news, metrics, onOomKills: (...kills) => { node.tellOomKills(...kills); }, clock: systemClock, log }),
    news,
    ...(config.metricsListen === '' ? {} : { metrics: metricsLoop(config, metrics, identity) }),
  };
}

/** @throws ClusterError NOT_FOUND for a task that went while its tunnel was opened */
function requireRecord(node: NodeLoop, task: TaskId): TaskRecord {
  const record = node.find(task)?.record;
  if (record === undefined) {
    throw new ClusterError('NOT_FOUND', `task ${task} is not on this node`);
  }
  return record;
}

function usageSources(config: AgentConfig, { cgroups }: Machine): UsageSources {
  return { cgroups, taskLinkPrefix: networkNames(config.scope).taskLinkPrefix, linkCounters: readTaskLinkCounters };
}

/** A machine that is short of something starts it a second later: containers wait for it once their pipes are full. */
function ensureLogWriter({ runtime }: Machine, log: Logger): void {
  try {
    runtime.ensureLogWriter();
  } catch (error) {
    log.error({ err: error }, 'the log writer cannot be started; the next try is in a second');
  }
}

/** `gantry-agent leave`: nothing of Gantry stays on the machine. */
export async function leave(given: AgentConfig, log: Logger): Promise<void> {
  const config = await withRealDirectories(given);
  const machine = await openMachine(config, log, () => Promise.resolve(undefined));
  await leaveCluster({
    ...machine, directories: [given.runDir, given.stateDir], removeTree, removePrograms: async () => { await unmountPrograms(machine.runtimes, programsDir(config)); }, endLogWriter: async () => { await machine.runtime.endLogWriter(); },
    removeCgroup: async () => { await machine.cgroups.removeParent(); },
    forgetIdentity: async () => { await forgetIdentity(config.configDir); },
  });
}

/** Once, at the start: records, mounts and control groups name one path whatever becomes of a link. */
async function withRealDirectories(config: AgentConfig): Promise<AgentConfig> {
  return { ...config, stateDir: await realDirectory(config.stateDir), runDir: await realDirectory(config.runDir) };
}

/** What a pull asks a controller for. */
function loginOf({ image, namespace }: PullRequest): { readonly namespace: string; readonly registry: string } {
  return { namespace: namespace ?? '', registry: image.slice(0, Math.max(0, image.indexOf('/'))) };
}

function metricsLoop(config: AgentConfig, metrics: AgentMetrics, identity: IdentityHolder): Loop {
  const options = { listen: config.metricsListen, ...(config.isMetricsPlain ? {} : { identity }) };
  return { run: async signal => { await serveMetrics(metrics.registry, options, signal); } };
}

function tlsOf(identity: NodeIdentity): TlsIdentity {
  return { caPem: identity.caPem, pair: { certificatePem: identity.certificatePem, keyPem: identity.keyPem } };
}
