import { randomUUID } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import { containersOf } from '#model/companion.ts';
import type { Digest } from '#model/digest.ts';
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { NatsNews } from '#news/nats-client.ts';
import type { News } from '#news/ports.ts';
import { IdentityHolder } from '#rpc/identity-holder.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { AssignmentFs } from './assignment-fs.ts';
import { EMPTY_DESIRED_SET } from './assignment.ts';
import type { DesiredSet } from './assignment.ts';
import { AuditLoop } from './audit-loop.ts';
import { CertificateLoop } from './certificate-loop.ts';
import { diskOf } from './cgroup/block-device-fs.ts';
import { CgroupFs } from './cgroup/cgroup-fs.ts';
import { reachableAddress } from './config.ts';
import type { AgentConfig } from './config.ts';
import { ControllerClient } from './controller-client.ts';
import { isDiskPressure } from './disk-pressure.ts';
import { DnsmasqNodeDns } from './dns/node-dns-flow.ts';
import { parseNameservers } from './dns/resolv-conf.ts';
import { EndpointsLoop } from './endpoints-loop.ts';
import { NodeHealthProber, nodeProbeActions } from './health/health-prober-flow.ts';
import { forgetIdentity, writeIdentity } from './identity-fs.ts';
import type { NodeIdentity } from './identity-fs.ts';
import { DiskImageStore } from './image/image-store.ts';
import { withRoomMade } from './image/make-room-flow.ts';
import { PruneLoop } from './image/prune-loop.ts';
import { TimedImages } from './image/timed-images-flow.ts';
import { inspectTask } from './inspect-flow.ts';
import { InstanceFs } from './instance-fs.ts';
import { haveIdentity } from './join-flow.ts';
import { leaveCluster } from './leave-flow.ts';
import { LOG_MAX_BYTES, readLog } from './logs/log-fs.ts';
import { RotateLoop } from './logs/rotate-loop.ts';
import { defaultAddress, defaultCapacity, makePassable, readBootId, readCpus, readMaxPids, readPressure } from './machine-fs.ts';
import { serveMetrics } from './metrics-server.ts';
import { AgentMetrics } from './metrics.ts';
import { readTaskLinkCounters } from './network/link-counters-fs.ts';
import { networkNames } from './network/link-names.ts';
import { readNamespaces } from './namespaces-fs.ts';
import { KernelNetwork } from './network/network-flow.ts';
import { NodeLoop } from './node-loop.ts';
import { readNodeState, writeNodeState } from './node-state-fs.ts';
import type { NodeState } from './node-state-fs.ts';
import type { NodeFacts, SessionSink } from './ports.ts';
import { NftServiceProxy } from './proxy/service-proxy-flow.ts';
import { ConmonRuntime } from './runtime/conmon-process.ts';
import { OciConfigFs } from './runtime/oci-config-fs.ts';
import { SessionLoop } from './session-loop.ts';
import { OverlaySnapshotter } from './snapshot/overlay-fs.ts';
import { BundleFs } from './task/bundle-fs.ts';
import type { TaskEvents, TaskParts } from './task/ports.ts';
import type { TaskRecord } from './task/record.ts';
import { recoverTasks } from './task/recovery-flow.ts';
import { ReportBook } from './task/report-book.ts';
import { StartGate } from './task/start-gate-flow.ts';
import { TaskStateFs } from './task/state-fs.ts';
import { TaskSet } from './task/task-set-loop.ts';
import { ContainerFilesFs } from './tunnel/container-files-fs.ts';
import { SlotDialer } from './tunnel/dial-socket.ts';
import type { LogReader } from './tunnel/ports.ts';
import { tunnelOpener } from './tunnel-opener-flow.ts';
import { sampleOf } from './usage.ts';
import { readUsages } from './usage-flow.ts';
import type { UsageSources } from './usage-flow.ts';
import { UsageLoop } from './usage-loop.ts';
import { DirectoryVolumes } from './volume/volume-fs.ts';

export const AGENT_VERSION = '0.1.0';

/** Starts of containers at once, a core: more gains little and makes each slower. */
const STARTS_PER_CORE = 1;
const EXEC_PROBES_AT_ONCE = 4;
/** Idle pull threads and extractors end after this. */
const PULL_IDLE_MS = 60_000;
const RUNTIMES = ['crun', 'runc'];
const CONMON = '/usr/bin/conmon';

type Machine = Awaited<ReturnType<typeof openMachine>>;

/** What all loops of one agent share. */
interface Shared {
  readonly config: AgentConfig;
  readonly log: Logger;
  readonly machine: Machine;
  readonly identity: IdentityHolder;
  readonly client: ControllerClient;
  readonly reports: ReportBook;
  readonly metrics: AgentMetrics;
  readonly news: NatsNews | undefined;
  readonly assignments: AssignmentFs;
  readonly held: DesiredSet | undefined;
  readonly nodeState: NodeState | undefined;
}

/** Loops that know each other. */
interface Core {
  readonly node: NodeLoop;
  readonly endpoints: EndpointsLoop;
  readonly session: SessionLoop;
}

/** Builds the agent and runs it until `signal` aborts; containers run on. @throws ClusterError when it cannot start */
export async function runAgent(config: AgentConfig, log: Logger, signal: AbortSignal): Promise<void> {
  const identity = new IdentityHolder(tlsOf(await haveIdentity(config, log, signal)));
  const client = new ControllerClient(identity.current);
  identity.onRenewed(renewed => { client.useIdentity(renewed); });
  const assignments = new AssignmentFs(config.stateDir);
  const shared: Shared = {
    config, log, identity, client, assignments,
    machine: await openMachine(config, log),
    reports: new ReportBook(),
    metrics: new AgentMetrics(),
    news: config.natsServers.length === 0 ? undefined : natsNews(config, identity, log),
    held: await assignments.load(),
    nodeState: await readNodeState(config.stateDir),
  };
  const facts = await nodeFacts(config, shared.machine);
  const prune: PruneLoop = new PruneLoop({ images: shared.machine.images, named: () => node.isUp ? namedDigests(node.records, session.assignment) : undefined, clock: systemClock, log });
  const node: NodeLoop = nodeLoop(shared, () => session, prune);
  const endpoints: EndpointsLoop = endpointsLoop(shared, () => session);
  const session: SessionLoop = sessionLoop(shared, facts, sessionSink(shared, { node, endpoints }, signal));
  if (shared.nodeState !== undefined) {
    await node.bringUp(shared.nodeState.subnetIndex, signal);
  }
  await superviseLoops({ node, session, endpoints, prune, ...sideLoops(shared, { node, endpoints, session }) }, signal);
}

function nodeLoop(shared: Shared, session: () => SessionLoop, prune: PruneLoop): NodeLoop {
  const { config, log, machine, reports, held } = shared;
  const images = new TimedImages(withRoomMade(machine.images, async () => { await prune.makeRoom(); }), systemClock, (outcome, durationMs) => { shared.metrics.observePull(outcome, durationMs); });
  const recover = async (): Promise<TaskSet> => {
    const parts = {
      ...machine, images, node: config.node, log, clock: systemClock, random: Math.random,
      permit: session(), statuses: statusSink(reports, session()), events: taskEvents(shared),
      startGate: new StartGate(availableParallelism() * STARTS_PER_CORE),
    };
    const recovered = await recoverTasks(parts);
    for (const stray of recovered.strays) {
      log.warn({ stray }, 'belonged to no task and was removed');
    }
    return new TaskSet(parts, recovered, held ?? desiredAsRecorded(recovered.records));
  };
  return new NodeLoop({ network: machine.network, dns: machine.dns, recover });
}

function endpointsLoop({ config, log, machine }: Shared, session: () => SessionLoop): EndpointsLoop {
  return new EndpointsLoop([
    async set => { await machine.proxy.apply(set); },
    async set => { await machine.dns.apply(set); },
    async set => { await machine.network.setPeers(set.nodes.filter(peer => peer.id !== config.node)); },
  ], generation => { session().endpointsApplied(generation); }, { clock: systemClock, log });
}

function sessionSink({ config, machine, client, log }: Shared, { node, endpoints }: Omit<Core, 'session'>, signal: AbortSignal): SessionSink {
  return {
    registered: async ({ subnetIndex, times, controllers }) => {
      await node.bringUp(subnetIndex, signal);
      await writeNodeState(config.stateDir, { subnetIndex, times, controllers }).catch((error: unknown) => {
        // Only a start without a controller reads it, and each registration brings it again.
        if (!isDiskPressure(error)) throw error;
        log.error({ err: error }, 'what the controllers said of this node could not be written');
      });
    },
    desired: set => { node.desire(set); },
    permitted: () => { node.wakeAll(); },
    endpoints: set => { endpoints.offer(set); },
    openTunnel: tunnelOpener({
      find: task => node.find(task),
      dialBack: (address, tunnelId, ended) => client.tunnel(address, tunnelId, ended),
      records: machine.records,
      services: {
        ...machine.tunnelServices,
        stats: {
          clock: systemClock,
          read: async tasks => (await readUsages(node.records.filter(({ task }) => tasks.includes(task.id)), usageSources(config, machine))).map(usage => sampleOf(usage, config.node, systemClock.nowMs())),
        },
        inspect: async task => await inspectTask(requireRecord(node, task), {
          node: config.node, cgroups: machine.cgroups, records: machine.records, readConfig: id => machine.bundles.readConfig(id), readNamespaces,
        }),
      },
      debug: machine,
    }),
  };
}

/** The controllers given come first; those that the cluster told last are for a start without any. */
function sessionLoop({ config, log, client, assignments, reports, held, nodeState }: Shared, facts: NodeFacts, sink: SessionSink): SessionLoop {
  return new SessionLoop({ facts, dialer: client, held: assignments, reports, sink, instance: new InstanceFs(config.configDir, randomUUID), clock: systemClock, log, random: Math.random }, {
    controllers: config.controllers.length > 0 ? config.controllers : nodeState?.controllers ?? [],
    times: nodeState?.times ?? DEFAULT_TIMES,
    held: held ?? EMPTY_DESIRED_SET,
  });
}

function sideLoops({ config, log, machine, identity, client, metrics, news }: Shared, { node, endpoints, session }: Core): Readonly<Record<string, Loop>> {
  const records = (): readonly TaskRecord[] => node.records;
  const controllerAddress = (): string | undefined => session.controllerAddress;
  const adopt = async (renewed: NodeIdentity): Promise<void> => {
    await writeIdentity(config.configDir, renewed);
    identity.renew(tlsOf(renewed));
  };
  metrics.observe({
    isConnected: () => controllerAddress() !== undefined, isNatsConnected: () => news?.isConnected ?? false,
    droppedNewsCount: () => news?.droppedCount ?? 0, imageCount: () => machine.images.count(), pressure: readPressure,
  });
  return {
    certificate: new CertificateLoop({ dialer: client, controllerAddress, adopt, clock: systemClock, log }, identity.current.pair?.certificatePem ?? ''),
    audit: new AuditLoop({
      ...machine, records, clock: systemClock, log,
      wakeTasks: () => { node.wakeAll(); },
      tell: what => { log.warn({ node: config.node }, what); },
      onRepaired: () => { endpoints.again(); },
    }),
    logs: new RotateLoop(async () => {
      await machine.runtime.rotateLogs(LOG_MAX_BYTES).catch((error: unknown) => { log.warn({ err: error }, 'logs not rotated; again at the next look'); });
    }, systemClock),
    usage: new UsageLoop({ ...usageSources(config, machine), node: config.node, records, news, metrics, onOomKills: (...kills) => { node.tellOomKills(...kills); }, clock: systemClock, log }),
    ...(news === undefined ? {} : { news }),
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

/** `gantry-agent leave`: nothing of Gantry stays on the machine. */
export async function leave(config: AgentConfig, log: Logger): Promise<void> {
  const machine = await openMachine(config, log);
  await leaveCluster({
    ...machine, directories: [config.runDir, config.stateDir], removeCgroup: async () => { await machine.cgroups.removeParent(); },
    forgetIdentity: async () => { await forgetIdentity(config.configDir); },
  });
}

/** The parts that touch this machine. */
async function openMachine(config: AgentConfig, log: Logger) {
  await makePassable(config.stateDir);
  await makePassable(config.runDir);
  const prefix = `${String(process.pid)}-`;
  const disk = await diskOf(config.stateDir);
  const cgroups = new CgroupFs(config.scope, systemClock, disk === undefined ? {} : { disk });
  const programs = await findRuntimes();
  const runtime = new ConmonRuntime({ stateDir: join(config.runDir, 'runtime'), programs, conmonPath: CONMON, cgroups, clock: systemClock });
  const underlayAddress = config.underlayAddress ?? await defaultAddress();
  const names = networkNames(config.scope);
  const imagesDir = join(config.stateDir, 'images');
  const caPem = config.registryCaFile === undefined ? undefined : await readFile(config.registryCaFile, 'utf8');
  return {
    bootId: await readBootId(),
    underlayAddress,
    runtimes: [...programs.keys()],
    cgroups,
    runtime,
    images: new DiskImageStore({
      statePath: imagesDir, platform: { os: 'linux', architecture: goArchitecture() }, concurrency: availableParallelism(), prefix,
      plainRegistries: config.plainRegistries, credentials: () => Promise.resolve(undefined), idleMs: PULL_IDLE_MS, stallMs: config.pullStallMs, ...(caPem === undefined ? {} : { caPem }),
    }),
    snapshots: new OverlaySnapshotter({ layersPath: join(imagesDir, 'layers'), statePath: config.stateDir, prefix }),
    network: new KernelNetwork({
      scope: config.scope, runDir: config.runDir, underlayAddress, userNamespaceBase: config.userNamespaceBase,
      poolSize: config.poolSize, vxlanId: config.vxlanId, vxlanPort: config.vxlanPort,
      managers: [...config.controllers, ...config.natsServers],
    }, log),
    proxy: new NftServiceProxy({ node: config.node, table: names.proxyTable, bridge: names.bridge }, log),
    dns: new DnsmasqNodeDns({ directory: join(config.runDir, 'dns'), upstreams: config.defaultResolvers.length > 0 ? config.defaultResolvers : await machineResolvers() }, systemClock),
    volumes: new DirectoryVolumes({ stateDir: config.stateDir, runDir: config.runDir, allowedHostPrefixes: config.bindPrefixes }),
    prober: new NodeHealthProber(nodeProbeActions(runtime), systemClock, { execConcurrency: EXEC_PROBES_AT_ONCE, random: Math.random }),
    configs: new OciConfigFs(),
    tunnelServices: {
      runtime,
      files: new ContainerFilesFs(),
      ports: new SlotDialer(),
      logs: { read: (path, query, ended, signal) => readLog(path, query, { clock: systemClock, ended }, signal) } satisfies LogReader,
    },
    bundles: new BundleFs(join(config.runDir, 'bundles')),
    records: new TaskStateFs(config.stateDir),
  };
}

async function nodeFacts(config: AgentConfig, machine: Machine): Promise<NodeFacts> {
  return {
    node: config.node,
    agentVersion: AGENT_VERSION,
    bootId: machine.bootId,
    address: machine.underlayAddress,
    capacity: config.capacity ?? defaultCapacity(),
    pids: await readMaxPids(),
    labels: config.labels,
    runtimes: machine.runtimes,
    cpus: await readCpus(),
    architecture: goArchitecture(),
    metricsAddress: reachableAddress(config.metricsListen, machine.underlayAddress),
  };
}

/** The images that tasks of this node need, those that only stop among them. */
function namedDigests(records: readonly TaskRecord[], assignment: DesiredSet): ReadonlySet<Digest> {
  const tasks = [...records.map(record => record.task), ...assignment.tasks.values()];
  return new Set(tasks.flatMap(containersOf).map(container => container.digest).filter(digest => digest !== undefined));
}

/** Without a readable assignment, what the records say is wanted: a lost file stops nothing. */
function desiredAsRecorded(records: readonly TaskRecord[]): DesiredSet {
  return { ...EMPTY_DESIRED_SET, tasks: new Map(records.map(record => [record.task.id, record.task])) };
}

function statusSink(reports: ReportBook, session: SessionLoop): TaskParts['statuses'] {
  return {
    report: status => {
      if (reports.take(status)) {
        session.poke();
      }
    },
    drop: task => { reports.drop(task); },
  };
}

function taskEvents(to: { readonly log: Logger; readonly metrics: AgentMetrics; readonly news: News | undefined }): TaskEvents {
  return {
    happened({ type, task, reason, message }) {
      const atMs = systemClock.nowMs();
      to.log.info({ task: task.id, service: task.serviceId, reason, message }, 'task event');
      to.metrics.countEvent(reason);
      to.news?.publishEvent({ type, object: `task/${task.id}`, reason, message, firstAtMs: atMs, lastAtMs: atMs, count: 1 });
    },
  };
}

function natsNews(config: AgentConfig, identity: IdentityHolder, log: Logger): NatsNews {
  return new NatsNews({
    servers: config.natsServers,
    identity: () => identity.current,
    onGap: () => undefined,
    clock: systemClock,
    log,
  });
}

function metricsLoop(config: AgentConfig, metrics: AgentMetrics, identity: IdentityHolder): Loop {
  const options = { listen: config.metricsListen, ...(config.isMetricsPlain ? {} : { identity }) };
  return { run: async signal => { await serveMetrics(metrics.registry, options, signal); } };
}

function tlsOf(identity: NodeIdentity): TlsIdentity {
  return { caPem: identity.caPem, pair: { certificatePem: identity.certificatePem, keyPem: identity.keyPem } };
}

async function findRuntimes(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const name of RUNTIMES) {
    const program = `/usr/bin/${name}`;
    await access(program).then(() => found.set(name, program), () => { /* not installed: the node does not offer it */ });
  }
  return found;
}

async function machineResolvers(): Promise<readonly string[]> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  return parseNameservers(text).filter(address => !address.startsWith('127.'));
}

/** Source: OCI image-spec, config.md: GOARCH words */
function goArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}
