import test from 'ava';
import { AGENT_METRICS, AgentMetrics } from '../../../agent/metrics.ts';
import type { TaskUsage } from '../../../agent/metrics.ts';
import { service, task } from '../../support/builders.ts';

const one = task(service(), 'n1', { slot: 0 });
const labels = `namespace="${one.namespace}",app="${one.app}",service="${one.service}",task="${one.id}"`;
const usage: TaskUsage = {
  task: one, attempt: 2, restarts: 1, cpuMicroseconds: 1_500_000, memoryBytes: 10, memoryLimitBytes: 20, processes: 3, oomKills: 4, ioReadBytes: 9, ioWriteBytes: 10,
  link: { receivedBytes: 5, receivedPackets: 6, sentBytes: 7, sentPackets: 8 },
};

function observed(): AgentMetrics {
  const metrics = new AgentMetrics();
  metrics.observe({
    isConnected: () => true, hasNetworkFault: () => true, droppedNewsCount: () => 9, certificates: () => [{ certificate: 'node', notAfterMs: 3_000, renewAtMs: 2_000 }],
    pressure: () => Promise.resolve({ cpu: 1_500_000, memory: 0, io: 0 }), imageCount: () => Promise.resolve(2),
  });
  return metrics;
}

test('every metric of the table is exported, and no other of ours', t => {
  t.deepEqual(observed().registry.getMetricsAsArray().map(metric => metric.name).filter(name => !/^gantry_(?:process|nodejs)_/.test(name)).sort(), Object.keys(AGENT_METRICS).sort());
});

test('a running task is shown with all that it uses', async t => {
  const metrics = observed();
  metrics.setTasks(['running', 'idle'], [usage]);
  metrics.countEvent('Started');
  metrics.observePull('done', 30);
  const text = await metrics.registry.metrics();
  for (const line of [
    `gantry_task_cpu_seconds_total{${labels}} 1.5`, `gantry_task_memory_bytes{${labels}} 10`, `gantry_task_memory_limit_bytes{${labels}} 20`,
    `gantry_task_processes{${labels}} 3`, `gantry_task_restarts_total{${labels}} 1`, `gantry_task_oom_kills_total{${labels}} 4`,
    `gantry_task_network_receive_bytes_total{${labels}} 5`, `gantry_task_network_receive_packets_total{${labels}} 6`,
    `gantry_task_network_transmit_bytes_total{${labels}} 7`, `gantry_task_network_transmit_packets_total{${labels}} 8`,
    'gantry_agent_tasks{step="running"} 1', 'gantry_agent_tasks{step="idle"} 1', 'gantry_agent_session_connected 1', 'gantry_agent_network_fault 1',
    'gantry_agent_images 2', 'gantry_agent_news_dropped_total 9', 'gantry_agent_task_events_total{reason="Started"} 1',
    'gantry_certificate_expiration_timestamp_seconds{certificate="node"} 3', 'gantry_certificate_renewal_timestamp_seconds{certificate="node"} 2',
    'gantry_agent_pull_duration_seconds_count{outcome="done"} 1', '# TYPE gantry_task_cpu_seconds_total counter',
  ]) {
    t.true(text.includes(`${line}\n`), line);
  }
});

test('a task that is gone is shown no more, and nothing adds up from sample to sample', async t => {
  const metrics = observed();
  metrics.setTasks(['running'], [usage]);
  metrics.setTasks(['running'], [usage]);
  t.true((await metrics.registry.metrics()).includes(`gantry_task_memory_bytes{${labels}} 10\n`));
  metrics.setTasks([], []);
  t.false((await metrics.registry.metrics()).includes(one.id));
});
