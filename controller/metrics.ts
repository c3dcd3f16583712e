import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CertificateEnd } from '#identity/certificate-rules.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { ServiceStatus } from '#model/app.ts';
import { pendingCountOf } from '#model/pending-count.ts';
import type { ReconcileTurn } from './reconcile/reconcile-loop.ts';
import type { EtcdMemberSpace, EtcdSpace } from './store/etcd-space.ts';
import type { StoreOperation } from './store/etcd-store.ts';

/** Every metric of gantry-controller; the README's table says the same. Node.js's own come beside them as `gantry_process_` and `gantry_nodejs_`. */
export const CONTROLLER_METRICS = {
  gantry_reconcile_duration_seconds: 'time of one reconciliation of one key, from plan to applied, by kind and outcome',
  gantry_schedule_duration_seconds: 'time to plan a service, including placements',
  gantry_etcd_duration_seconds: 'time of one answered etcd call, by operation',
  gantry_leader: '1 while this controller leads',
  gantry_leader_epoch: 'epoch of the leader, as this controller knows it; 0: none',
  gantry_sessions: 'agent sessions of this controller',
  gantry_nodes: 'nodes, by condition',
  gantry_tasks: 'task records, by observed phase',
  gantry_pending_slots: 'slots of services that fit on no node',
  gantry_crash_looping_slots: 'slots of services whose tasks crash repeatedly',
  gantry_services: 'services, by the state of their latest rollout',
  gantry_mass_breaker_open: '1 while this leader gives up no node because too many are silent at the same time',
  gantry_nats_connected: '1 while NATS is connected; 0 also without --nats',
  gantry_news_dropped_total: 'events that were not published because NATS was not reachable or slow',
  gantry_mirror_revision: 'etcd revision of the snapshot of this controller',
  gantry_mirror_list_age_seconds: 'time since the start of the latest full list of etcd',
  gantry_invalid_records: 'records in etcd that this controller cannot read',
  gantry_etcd_size_bytes: 'size of the file of a member of etcd, by member',
  gantry_etcd_in_use_bytes: 'part of that file that contains data, by member',
  gantry_etcd_quota_bytes: 'size at which a member of etcd refuses writes, by member',
  gantry_etcd_out_of_space: '1 while etcd refuses writes because its quota is used up',
  gantry_certificate_expiration_timestamp_seconds: 'end of a certificate in seconds since 1970, by certificate',
  gantry_certificate_renewal_timestamp_seconds: 'time at which a certificate is due for renewal, in seconds since 1970, by certificate',
  gantry_event_loop_lag_seconds: '99th percentile delay of the event loop since the last scrape',
} as const;

export type ControllerMetricName = keyof typeof CONTROLLER_METRICS;

/** Where gauges look when they are scraped. */
export interface MetricSources {
  readonly current: () => ClusterSnapshot;
  readonly isLeading: () => boolean;
  readonly sessionCount: () => number;
  readonly isBreakerOpen: () => boolean;
  readonly isNatsConnected: () => boolean;
  readonly droppedNewsCount: () => number;
  readonly invalidCount: () => number;
  readonly certificates: () => readonly CertificateEnd[];
  /** Absent before the first list. */
  readonly listAgeMs: () => number | undefined;
  /** Absent before it was first read. */
  readonly etcdSpace: () => EtcdSpace | undefined;
}

export interface ControllerMetrics {
  readonly registry: Registry;
  readonly onTurn: (turn: ReconcileTurn) => void;
  readonly onPlan: (durationMs: number) => void;
  readonly onStoreCall: (operation: StoreOperation, durationMs: number) => void;
  /** Gauges begin to be filled. */
  readonly observe: (sources: MetricSources) => void;
}

const SECONDS = 1_000;
const BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export function createControllerMetrics(): ControllerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'gantry_' });
  const reconcile = histogram(registry, 'gantry_reconcile_duration_seconds', ['kind', 'outcome']);
  const schedule = histogram(registry, 'gantry_schedule_duration_seconds', []);
  const etcd = histogram(registry, 'gantry_etcd_duration_seconds', ['operation']);
  observeEventLoop(registry);
  return {
    registry,
    onTurn: turn => { reconcile.observe({ kind: turn.kind, outcome: turn.outcome }, turn.durationMs / SECONDS); },
    onPlan: durationMs => { schedule.observe(durationMs / SECONDS); },
    onStoreCall: (operation, durationMs) => { etcd.observe({ operation }, durationMs / SECONDS); },
    observe: sources => { observeSources(registry, sources); },
  };
}

function observeSources(registry: Registry, sources: MetricSources): void {
  gauge(registry, 'gantry_leader', () => (sources.isLeading() ? 1 : 0));
  gauge(registry, 'gantry_leader_epoch', () => sources.current().epoch);
  gauge(registry, 'gantry_sessions', sources.sessionCount);
  gauge(registry, 'gantry_pending_slots', () => sum(sources.current(), pendingCountOf));
  gauge(registry, 'gantry_crash_looping_slots', () => sum(sources.current(), status => status.crashLoops.length));
  gauge(registry, 'gantry_mass_breaker_open', () => (sources.isBreakerOpen() ? 1 : 0));
  gauge(registry, 'gantry_nats_connected', () => (sources.isNatsConnected() ? 1 : 0));
  counter(registry, 'gantry_news_dropped_total', sources.droppedNewsCount);
  gauge(registry, 'gantry_mirror_revision', () => sources.current().etcdRevision);
  gauge(registry, 'gantry_mirror_list_age_seconds', () => (sources.listAgeMs() ?? 0) / SECONDS);
  gauge(registry, 'gantry_invalid_records', sources.invalidCount);
  observeSpace(registry, sources.etcdSpace);
  observeCertificates(registry, sources.certificates);
  countedGauge(registry, 'gantry_services', 'rollout', () => [...sources.current().serviceStatuses.values()].map(status => status.value.rollout.state));
  countedGauge(registry, 'gantry_nodes', 'condition', () => [...sources.current().nodes.values()].map(node => node.value.condition));
  countedGauge(registry, 'gantry_tasks', 'phase', () => [...sources.current().tasks.keys()].map(id => sources.current().statuses.get(id)?.value.phase ?? 'pending'));
}

function observeSpace(registry: Registry, space: MetricSources['etcdSpace']): void {
  const ofMembers = (name: ControllerMetricName, read: (member: EtcdMemberSpace) => number | undefined): void => {
    new Gauge({
      name, help: CONTROLLER_METRICS[name], labelNames: ['member'], registers: [registry],
      collect() {
        this.reset();
        for (const member of space()?.members ?? []) {
          const value = read(member);
          if (value !== undefined) this.set({ member: member.host }, value);
        }
      },
    });
  };
  ofMembers('gantry_etcd_size_bytes', member => member.sizeBytes);
  ofMembers('gantry_etcd_in_use_bytes', member => member.inUseBytes);
  ofMembers('gantry_etcd_quota_bytes', member => member.quotaBytes);
  gauge(registry, 'gantry_etcd_out_of_space', () => (space()?.isOutOfSpace === true ? 1 : 0));
}

function observeCertificates(registry: Registry, certificates: MetricSources['certificates']): void {
  const ofCertificates = (name: ControllerMetricName, read: (end: CertificateEnd) => number | undefined): void => {
    new Gauge({
      name, help: CONTROLLER_METRICS[name], labelNames: ['certificate'], registers: [registry],
      collect() {
        this.reset();
        for (const end of certificates()) {
          const atMs = read(end);
          if (atMs !== undefined) this.set({ certificate: end.certificate }, atMs / SECONDS);
        }
      },
    });
  };
  ofCertificates('gantry_certificate_expiration_timestamp_seconds', end => end.notAfterMs);
  ofCertificates('gantry_certificate_renewal_timestamp_seconds', end => end.renewAtMs);
}

function observeEventLoop(registry: Registry): void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  gauge(registry, 'gantry_event_loop_lag_seconds', () => {
    const lagSeconds = delay.percentile(99) / 1e9;
    delay.reset();
    return Number.isFinite(lagSeconds) ? lagSeconds : 0;
  });
}

function histogram<Label extends string>(registry: Registry, name: ControllerMetricName, labelNames: readonly Label[]): Histogram<Label> {
  return new Histogram({ name, help: CONTROLLER_METRICS[name], labelNames: [...labelNames], buckets: BUCKETS, registers: [registry] });
}

function gauge(registry: Registry, name: ControllerMetricName, read: () => number): void {
  new Gauge({ name, help: CONTROLLER_METRICS[name], registers: [registry], collect() { this.set(read()); } });
}

function counter(registry: Registry, name: ControllerMetricName, read: () => number): void {
  new Counter({
    name, help: CONTROLLER_METRICS[name], registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

function sum(snapshot: ClusterSnapshot, count: (status: ServiceStatus) => number): number {
  return [...snapshot.serviceStatuses.values()].reduce((total, { value }) => total + count(value), 0);
}

/** One series a value, with how often it occurs. */
function countedGauge(registry: Registry, name: ControllerMetricName, label: string, read: () => readonly string[]): void {
  new Gauge({
    name, help: CONTROLLER_METRICS[name], labelNames: [label], registers: [registry],
    collect() {
      this.reset();
      for (const value of read()) {
        this.inc({ [label]: value });
      }
    },
  });
}
