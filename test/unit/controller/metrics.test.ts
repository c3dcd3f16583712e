import test from 'ava';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { CONTROLLER_METRICS, createControllerMetrics } from '../../../controller/metrics.ts';
import type { MetricSources } from '../../../controller/metrics.ts';
import { node, service, snapshot, status, task } from '../../support/builders.ts';

const web = service();
const one = task(web, 'n1', { slot: 0 });
const sources = (current: ClusterSnapshot): MetricSources => ({
  current: () => current, isLeading: () => true, sessionCount: () => 3, invalidCount: () => 1, listAgeMs: () => 2_000, isBreakerOpen: () => true,
  isNatsConnected: () => true, droppedNewsCount: () => 7,
  certificates: () => [{ certificate: 'controller', notAfterMs: 3_000, renewAtMs: 2_000 }, { certificate: 'ca', notAfterMs: 9_000 }],
  etcdSpace: () => ({ etcdRevision: 9, isOutOfSpace: true, members: [{ host: 'http://e1', sizeBytes: 80, inUseBytes: 30, quotaBytes: 100 }, { host: 'http://e2', sizeBytes: 70, inUseBytes: 20, quotaBytes: undefined }] }),
});

test('every metric of the table is exported, and no other of ours', t => {
  const metrics = createControllerMetrics();
  metrics.observe(sources(snapshot()));
  const names = metrics.registry.getMetricsAsArray().map(metric => metric.name).filter(name => !/^gantry_(?:process|nodejs)_/.test(name));
  t.deepEqual(names.sort(), Object.keys(CONTROLLER_METRICS).sort());
});

test('metrics say what they were told and what their sources hold', async t => {
  const metrics = createControllerMetrics();
  const current = snapshot({ nodes: [node('n1'), node('n2', { condition: 'lost' })], services: [web], tasks: [one, task(web, 'n1', { slot: 1 })], statuses: [status(one)] });
  metrics.observe(sources(current));
  metrics.onTurn({ kind: 'service', durationMs: 20, outcome: 'committed' });
  metrics.onStoreCall('txn', 3);
  const text = await metrics.registry.metrics();
  for (const line of [
    'gantry_mass_breaker_open 1', 'gantry_nats_connected 1', 'gantry_news_dropped_total 7', 'gantry_pending_slots 0', 'gantry_leader 1', 'gantry_sessions 3', 'gantry_invalid_records 1', 'gantry_mirror_list_age_seconds 2', 'gantry_nodes{condition="ready"} 1',
    'gantry_etcd_size_bytes{member="http://e1"} 80', 'gantry_etcd_in_use_bytes{member="http://e2"} 20', 'gantry_etcd_quota_bytes{member="http://e1"} 100', 'gantry_etcd_out_of_space 1',
    'gantry_certificate_expiration_timestamp_seconds{certificate="controller"} 3', 'gantry_certificate_renewal_timestamp_seconds{certificate="controller"} 2', 'gantry_certificate_expiration_timestamp_seconds{certificate="ca"} 9',
    'gantry_nodes{condition="lost"} 1', 'gantry_tasks{phase="running"} 1', 'gantry_tasks{phase="pending"} 1',
    'gantry_reconcile_duration_seconds_count{kind="service",outcome="committed"} 1', 'gantry_etcd_duration_seconds_count{operation="txn"} 1',
  ]) {
    t.true(text.includes(`${line}\n`), line);
  }
  t.false(text.includes('gantry_etcd_quota_bytes{member="http://e2"}'), 'no quota is invented');
  t.false(text.includes('gantry_certificate_renewal_timestamp_seconds{certificate="ca"}'), 'no program renews an authority');
});
