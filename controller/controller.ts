/** Composition root: builds the parts of one controller and says which loops it runs. No logic. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { systemClock } from '#kit/clock.ts';
import type { Clock } from '#kit/clock.ts';
import { createLogger } from '#kit/logger.ts';
import type { Logger } from '#kit/logger.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { ControllerRecord } from '#model/node.ts';
import type { ClusterSettings } from '#model/records.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { NatsNews } from '#news/nats-client.ts';
import { IdentityHolder } from '#rpc/identity-holder.ts';
import { RegistryClient } from '#registry/registry-client.ts';
import type { Measures } from './autoscale/ports.ts';
import { PrometheusClient } from './autoscale/prometheus-client.ts';
import { ApiLoop } from './api/api-loop.ts';
import { registryResolver } from './api/image-resolver-client.ts';
import { RegistryLoginStore } from './api/registry-login-store.ts';
import { UsageLoop } from './api/usage-loop.ts';
import type { ControllerConfig } from './config.ts';
import { CoreLoop } from './core-loop.ts';
import { DecisionRecordFile } from './decision-record-fs.ts';
import { certificateAuthority, issueOwnIdentity, joinTokens, readAuthority, readSealer } from './identity/authority-fs.ts';
import { certificateEnds } from './identity/certificate-ends.ts';
import { MachineCertificatesLoop } from './identity/machine-certificates-loop.ts';
import { createControllerMetrics } from './metrics.ts';
import type { ControllerMetrics } from './metrics.ts';
import { MetricsServer } from './metrics-server.ts';
import { scrapeTargets } from './scrape-targets.ts';
import { requireSettings } from './settings-flow.ts';
import { SpaceLoop } from './space-loop.ts';
import type { EtcdTls } from './store/etcd-members-store.ts';
import { EtcdSpaceStore } from './store/etcd-space-store.ts';
import { EtcdStore } from './store/etcd-store.ts';
import type { SpaceKeeper, Store } from './store/ports.ts';

/** Of all three programs; package.json says the same. */
export const VERSION = '0.1.0';

/** What every part of a controller is made of. */
export interface ControllerParts {
  readonly config: ControllerConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly identity: IdentityHolder;
  readonly settings: ClusterSettings;
  readonly record: ControllerRecord;
  readonly store: Store;
  readonly space: SpaceLoop;
  readonly core: CoreLoop;
  /** Absent without `--nats`: all goes on, nothing is pushed. */
  readonly news: NatsNews | undefined;
  readonly usage: UsageLoop | undefined;
  readonly api: ApiLoop;
  readonly metrics: ControllerMetrics;
  readonly machine: MachineCertificates;
}

interface MachineCertificates {
  readonly loop: MachineCertificatesLoop;
  /** What the store uses now. */
  readonly etcdTls: () => EtcdTls | undefined;
}

/** Runs a controller until `signal` aborts. */
export async function runController(config: ControllerConfig, logger: Logger, signal: AbortSignal): Promise<void> {
  const metrics = createControllerMetrics();
  const tls = await readEtcdTls(config);
  const access = { hosts: config.etcdHosts, ...(tls === undefined ? {} : { tls }) };
  const store = new EtcdStore({ ...access, onCall: metrics.onStoreCall });
  const keeper = new EtcdSpaceStore(access);
  try {
    const machine = machineCertificates(config, tls, [store, keeper], logger);
    await superviseLoops(loopsOf(await buildParts({ config, logger, metrics, store, keeper, machine }, signal)), signal);
  } finally {
    keeper.close();
    store.close();
  }
}

async function readEtcdTls({ etcdTls }: ControllerConfig): Promise<EtcdTls | undefined> {
  if (etcdTls === undefined) {
    return undefined;
  }
  const [caPem, certificatePem, keyPem] = await Promise.all([readFile(etcdTls.caFile), readFile(etcdTls.certificateFile), readFile(etcdTls.keyFile)]);
  return { caPem, certificatePem, keyPem };
}

/** Renews what `init` made for this machine, and has the store use the certificate that its file holds now. */
function machineCertificates(config: ControllerConfig, tls: EtcdTls | undefined, stores: readonly { readonly useTls: (tls: EtcdTls) => void }[], log: Logger): MachineCertificates {
  let used = tls;
  const refresh = async (): Promise<void> => {
    const found = await readEtcdTls(config);
    if (found !== undefined && used?.certificatePem.equals(found.certificatePem) === false) {
      stores.forEach(store => { store.useTls(found); });
      log.info({}, 'the renewed certificate is shown to etcd');
    }
    used = found;
  };
  return { loop: new MachineCertificatesLoop({ configDir: config.configDir, refresh, clock: systemClock, log }), etcdTls: () => used };
}

async function buildParts(given: Pick<ControllerParts, 'config' | 'logger' | 'metrics' | 'machine'> & { readonly store: Store; readonly keeper: SpaceKeeper }, signal: AbortSignal): Promise<ControllerParts> {
  const { config, logger, metrics, store, machine } = given;
  const clock = systemClock;
  const authority = await readAuthority(config.configDir);
  const issueIdentity = async (): Promise<TlsIdentity> => await issueOwnIdentity(authority, config.id, [config.advertise, config.listen, config.metricsAdvertise], { nowMs: clock.nowMs(), ttlMs: config.certificateLifeMs });
  const identity = new IdentityHolder(await issueIdentity());
  const fresh: ClusterSettings = { clusterId: randomUUID(), defaultRegistry: config.defaultRegistry, createdAtMs: clock.nowMs() };
  const settings = await requireSettings(store, fresh, clock, signal);
  const record: ControllerRecord = {
    id: config.id, apiAddress: config.advertise, metricsAddress: config.metricsAdvertise, startedAtMs: clock.nowMs(),
    ...(config.joinAdvertise === undefined ? {} : { joinAddress: config.joinAdvertise }),
  };
  const news = openNews(config, identity, logger);
  const sealer = await readSealer(config.secretsKeyFile);
  const core = new CoreLoop({
    sealer, store, clock, logger, record, times: config.times, clusterId: settings.clusterId, random: Math.random,
    onEvent: event => { news?.publishEvent(event); }, onTurn: metrics.onTurn, onPlan: metrics.onPlan,
    measures: measuresOf(config, () => usage), revisionHistoryLimit: config.revisionHistoryLimit,
    ...(config.recordFile === undefined ? {} : { recorder: new DecisionRecordFile(config.recordFile, { kind: 'start', controller: config.id, version: VERSION, startedAtMs: clock.nowMs() }, logger) }),
  });
  const { cluster, events, leadership, registration } = core;
  const space = new SpaceLoop({
    keeper: given.keeper, clock, logger, random: Math.random,
    mayReclaim: () => leadership.leadership !== undefined || cluster.current.epoch === 0,
  });
  const usage: UsageLoop | undefined = news === undefined ? undefined : new UsageLoop({ news, state: cluster, clock });
  const logins = new RegistryLoginStore({ store, sealer, clock });
  const api = new ApiLoop({
    controllerId: config.id, listen: config.listen, joinListen: config.joinListen, version: VERSION, defaultRegistry: config.defaultRegistry, defaultPolicy: config.defaultPolicy, reservedPorts: config.reservedPorts,
    times: config.times, settings, store, state: cluster, ready: async until => { await cluster.ready(until); }, events, usage, news, hasPrometheus: config.prometheusUrl !== undefined, clock, log: logger, audit: auditLogger(config), identity, issueIdentity,
    resolver: registryResolver(await openRegistries(config, clock), logins),
    logins, sealer,
    authority: certificateAuthority(authority, clock, config.certificateLifeMs),
    tokens: joinTokens(authority),
    lastRenewedMonotonicMs: () => registration.lastRenewedMonotonicMs(),
  });
  return { config, clock, logger, identity, settings, record, store, space, core, news, usage, api, metrics, machine };
}

/** `usage` hears what the picture of the cluster, which the core makes, has tasks for. */
function measuresOf({ prometheusUrl }: ControllerConfig, usage: () => UsageLoop | undefined): Measures {
  const client = prometheusUrl === undefined ? undefined : new PrometheusClient(prometheusUrl);
  return { usage: () => usage()?.now(), ...(client === undefined ? {} : { query: async (query, signal) => await client.query(query, signal) }) };
}

/** Whatever the level of the rest: an account with gaps is none. */
function auditLogger(config: ControllerConfig): Logger {
  return createLogger('gantry-audit', config.logLevel === 'silent' ? 'silent' : 'info').child({ controller: config.id });
}

function openNews(config: ControllerConfig, identity: IdentityHolder, log: Logger): NatsNews | undefined {
  return config.natsServers.length === 0 ? undefined : new NatsNews({
    servers: config.natsServers, identity: () => identity.current, clock: systemClock, log,
    onGap: () => { log.debug({}, 'news may be missing'); },
  });
}

async function openRegistries(config: ControllerConfig, clock: Clock): Promise<RegistryClient> {
  return new RegistryClient({
    ...(config.registryCaFile === undefined ? {} : { caPem: await readFile(config.registryCaFile, 'utf8') }),
    ...config.registries, credentials: () => Promise.resolve(undefined), clock, random: Math.random,
  });
}

function loopsOf(parts: ControllerParts): Readonly<Record<string, Loop>> {
  const { api, core, machine, news, space, usage } = parts;
  return { api, core, space, certificates: machine.loop, ...(news === undefined ? {} : { news }), ...(usage === undefined ? {} : { usage }), ...metricsLoops(parts) };
}

function metricsLoops({ api, clock, config, core, identity, machine, metrics, news, space }: ControllerParts): Readonly<Record<string, Loop>> {
  const { cluster, leadership } = core;
  const listAgeMs = (): number | undefined => (cluster.lastListMonotonicMs === undefined ? undefined : clock.monotonicMs() - cluster.lastListMonotonicMs);
  metrics.observe({
    current: () => cluster.current, isLeading: () => leadership.leadership !== undefined, sessionCount: () => api.sessionCount(),
    invalidCount: () => cluster.invalid.size, listAgeMs, isBreakerOpen: () => leadership.leadership !== undefined && core.isBreakerOpen(),
    isNatsConnected: () => news?.isConnected ?? false, droppedNewsCount: () => news?.droppedCount ?? 0,
    etcdSpace: () => space.space,
    certificates: () => certificateEnds({ own: identity.current, etcd: machine.etcdTls(), machine: machine.loop.certificates }),
  });
  if (config.metricsListen === '') {
    return {};
  }
  const { registry } = metrics;
  const metricsServer = new MetricsServer({
    listen: config.metricsListen,
    metrics: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    targets: () => scrapeTargets(cluster.current),
    problem: () => ((listAgeMs() ?? Number.POSITIVE_INFINITY) > 3 * config.times.relistMs ? 'etcd was not read for long' : ''),
    ...(config.isMetricsPlain ? {} : { identity: identity.current }),
  });
  identity.onRenewed(renewed => { metricsServer.useIdentity(renewed); });
  return { metricsServer };
}
