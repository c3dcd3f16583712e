import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { diskOf } from './cgroup/block-device-fs.ts';
import { CgroupFs } from './cgroup/cgroup-fs.ts';
import type { AgentConfig } from './config.ts';
import { DeadmanFs } from './deadman/deadman-fs.ts';
import { DnsmasqNodeDns } from './dns/node-dns-flow.ts';
import { NodeHealthProber, nodeProbeActions } from './health/health-prober-flow.ts';
import { DiskImageStore } from './image/image-store.ts';
import type { ImageStoreOptions } from './image/image-store.ts';
import { HeldImages } from './image/held-images.ts';
import { readWholeLog } from './logs/whole-log-flow.ts';
import { defaultAddress, goArchitecture, machineResolvers, makePassable, readBootId } from './machine-fs.ts';
import { takenHostPort } from './network/host-ports-fs.ts';
import { networkNames } from './network/link-names.ts';
import { KernelNetwork } from './network/network-flow.ts';
import { ensureAtLeast } from './network/setting-fs.ts';
import { NftServiceProxy } from './proxy/service-proxy-flow.ts';
import { ConmonRuntime } from './runtime/conmon-process.ts';
import { OciConfigFs } from './runtime/oci-config-fs.ts';
import { mountPrograms } from './runtime/runtime-program-fs.ts';
import { findRuntimes } from './runtime/runtime-probe-process.ts';
import { probeSecurityModules } from './runtime/security-module-fs.ts';
import { appArmorProfile } from './runtime/security-module.ts';
import type { SecurityModules } from './runtime/security-module.ts';
import { openSnapshotter } from './snapshot/open-snapshotter-fs.ts';
import { DeviceUnits } from './task/device-units.ts';
import { closeLeftDirectories } from './closed-directory-fs.ts';
import { BundleFs } from './task/bundle-fs.ts';
import { StartGate } from './task/start-gate-flow.ts';
import { TaskStateFs } from './task/state-fs.ts';
import { ContainerFilesClient } from './tunnel/container-files-client.ts';
import { SlotDialer } from './tunnel/dial-socket.ts';
import type { LogReader } from './tunnel/ports.ts';
import { DirectoryVolumes } from './volume/volume-fs.ts';

/** Starts of containers at once, a core: while one waits for the kernel or the disk another has it. More gains nothing and makes each slower. */
const STARTS_PER_CORE = 2;
/** One layer inflates while another waits for its bytes or its files. */
const PULLS_PER_CORE = 2;
const EXEC_PROBES_AT_ONCE = 4;
/** Idle pull threads and extractors end after this. */
const PULL_IDLE_MS = 10_000;
const CONMON = '/usr/bin/conmon';

/** The parts of an agent that touch its machine. */
export interface Machine {
  readonly bootId: string;
  readonly underlayAddress: string;
  /** Names of those that were found. */
  readonly runtimes: readonly string[];
  readonly cgroups: CgroupFs;
  readonly runtime: ConmonRuntime;
  readonly images: DiskImageStore;
  readonly debugImages: HeldImages;
  readonly snapshots: Awaited<ReturnType<typeof openSnapshotter>>['snapshots'];
  readonly startGate: StartGate;
  readonly network: KernelNetwork;
  readonly proxy: NftServiceProxy;
  readonly dns: DnsmasqNodeDns;
  readonly hostPorts: { readonly taken: typeof takenHostPort };
  readonly volumes: DirectoryVolumes;
  readonly prober: NodeHealthProber;
  readonly configs: OciConfigFs;
  readonly devices: DeviceUnits;
  readonly deadman: DeadmanFs;
  readonly tunnelServices: { readonly runtime: ConmonRuntime; readonly files: ContainerFilesClient; readonly ports: SlotDialer; readonly logs: LogReader };
  readonly bundles: BundleFs;
  readonly records: TaskStateFs;
}

/** All of them, none at work yet. `login` is asked for what a pull brings no login for. */
export async function openMachine(config: AgentConfig, log: Logger, login: ImageStoreOptions['credentials']): Promise<Machine> {
  raiseWatchLimits(log);
  await makePassable(config.stateDir);
  await makePassable(config.runDir);
  await closeLeftDirectories(config);
  const prefix = `${String(process.pid)}-`;
  const disk = await diskOf(config.stateDir);
  const cgroups = new CgroupFs(config.scope, systemClock, disk === undefined ? {} : { disk });
  const programs = await mountPrograms(await findRuntimes(), programsDir(config));
  const runtime = new ConmonRuntime({ stateDir: join(config.runDir, 'runtime'), programs, conmonPath: CONMON, cgroups, clock: systemClock });
  const underlayAddress = config.underlayAddress ?? await defaultAddress();
  const startGate = new StartGate(availableParallelism() * STARTS_PER_CORE, systemClock);
  const names = networkNames(config.scope);
  const imagesDir = join(config.stateDir, 'images');
  const { snapshots, choice } = await openSnapshotter(config.snapshotter, { layersPath: join(imagesDir, 'layers'), statePath: config.stateDir, prefix });
  log.info({ node: config.node, driver: choice.driver }, `root file systems by ${choice.driver}: ${choice.why}`);
  const caPem = config.registryCaFile === undefined ? undefined : await readFile(config.registryCaFile, 'utf8');
  return {
    bootId: await readBootId(),
    underlayAddress,
    runtimes: [...programs.keys()],
    cgroups,
    runtime,
    images: new DiskImageStore({
      statePath: imagesDir, platform: { os: 'linux', architecture: goArchitecture() }, concurrency: config.pullWorkers ?? availableParallelism() * PULLS_PER_CORE, prefix,
      registries: config.registries, credentials: login, idleMs: PULL_IDLE_MS, stallMs: config.pullStallMs, ...(caPem === undefined ? {} : { caPem }),
    }),
    debugImages: new HeldImages(),
    snapshots,
    startGate,
    network: new KernelNetwork({
      scope: config.scope, runDir: config.runDir, underlayAddress, userNamespaceBase: config.userNamespaceBase,
      poolSize: config.poolSize, quiet: () => startGate.quiet(), vxlanId: config.vxlanId, vxlanPort: config.vxlanPort,
      managementPorts: config.managementPorts, forwardLinks: config.forwardLinks,
    }, log),
    proxy: new NftServiceProxy({ node: config.node, table: names.proxyTable, bridge: names.bridge }, log, systemClock),
    dns: new DnsmasqNodeDns({ directory: join(config.runDir, 'dns'), upstreams: config.defaultResolvers.length > 0 ? config.defaultResolvers : await machineResolvers() }, systemClock),
    hostPorts: { taken: takenHostPort },
    volumes: new DirectoryVolumes({ stateDir: config.stateDir, runDir: config.runDir, allowedHostPrefixes: config.bindPrefixes, ownDirectories: [config.stateDir, config.runDir, config.configDir] }),
    prober: new NodeHealthProber(nodeProbeActions(runtime), systemClock, { execConcurrency: EXEC_PROBES_AT_ONCE, random: Math.random }),
    configs: new OciConfigFs({ devicePaths: config.devicePaths, units: config.deviceUnits, allowsPrivileged: config.allowsPrivileged, securityModules: probeModules(log) }),
    deadman: new DeadmanFs(config.runDir, cgroups),
    devices: new DeviceUnits([...config.deviceUnits.keys()]),
    tunnelServices: {
      runtime,
      files: new ContainerFilesClient(),
      ports: new SlotDialer(),
      logs: {
        read: (path, query, ended, signal) => readWholeLog({ path, ended, writerOf: log => runtime.writerOf(log), isOpen: id => runtime.isLogOpen(id), clock: systemClock }, query, signal),
      },
    },
    bundles: new BundleFs(join(config.runDir, 'bundles')),
    records: new TaskStateFs(config.stateDir),
  };
}

/**
 * Root's own limits: the kernel charges what all user namespaces of the node watch to root as well, and each
 * task has a limit of its own (`network/namespace-process.ts`).
 */
function raiseWatchLimits(log: Logger): void {
  const areRaised = [['instances', 65_536], ['watches', 1_048_576]].map(([what, least]) => ensureAtLeast(`fs/inotify/max_user_${String(what)}`, Number(least)));
  if (areRaised.includes(false)) log.warn({}, 'fs.inotify.max_user_instances and max_user_watches cannot be raised: tasks share what they allow');
}

/** Where the runtimes' programs are mounted. */
export function programsDir({ runDir }: AgentConfig): string {
  return join(runDir, 'programs');
}

function probeModules(log: Logger): SecurityModules {
  const modules = probeSecurityModules();
  if (modules.appArmorProfiles !== undefined && appArmorProfile(modules) === undefined) {
    log.warn({}, 'AppArmor is on and gantry-default is not loaded: containers run without a profile of it; load deploy/apparmor/gantry-default with apparmor_parser -r -W');
  }
  return modules;
}
