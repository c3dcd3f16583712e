import test from 'ava';
import type { UsageSample } from '#model/usage.ts';
import { AgentMetrics } from '../../../agent/metrics.ts';
import { newRecord } from '../../../agent/task/record.ts';
import { UsageLoop } from '../../../agent/usage-loop.ts';
import { service, task } from '../../support/builders.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const one = task(service(), 'n1', { slot: 0 });
const slot = { id: '7-abc', userNamespacePath: '', networkNamespacePath: '', hostBase: 0, address: '10.128.0.7' };
const record = { ...newRecord(one, 1, 'boot'), step: 'running' as const, slot, restarts: 2 };

test('a running task is sampled with the counters of its own link, for /metrics and as news', async t => {
  const clock = new FakeClock();
  const metrics = new AgentMetrics();
  const news: UsageSample[] = [];
  const kills: unknown[] = [];
  const abort = new AbortController();
  const published = Promise.withResolvers<undefined>();
  const loop = new UsageLoop({
    node: one.node, clock, metrics, log: silentLogger, records: () => [record, newRecord(one, 0, 'boot')], taskLinkPrefix: 'gt',
    onOomKills: (task, attempt, count) => { kills.push([task, attempt, count]); },
    cgroups: { usage: () => Promise.resolve({ cpuMicroseconds: 1, memoryBytes: 2, memoryLimitBytes: 3, processes: 4, oomKills: 5, ioReadBytes: 9, ioWriteBytes: 10 }) },
    linkCounters: () => new Map([['gt7', { receivedBytes: 5, receivedPackets: 6, sentBytes: 7, sentPackets: 8 }], ['gt8', { receivedBytes: 0, receivedPackets: 0, sentBytes: 0, sentPackets: 0 }]]),
    news: { publishUsage: sample => { news.push(sample); published.resolve(undefined); } },
  });
  const running = loop.run(abort.signal);
  await clock.advance(2_000);
  await published.promise;
  abort.abort();
  await running;
  t.like(news[0], { node: one.node, task: one.id, cpuMicroseconds: 1, memoryBytes: 2 });
  t.is(news.length, 1);
  t.deepEqual(kills, [[one.id, 1, 5]]);
  const text = await metrics.registry.metrics();
  t.regex(text, /gantry_task_network_receive_bytes_total\{[^}]*\} 5\n/);
  t.regex(text, /gantry_task_restarts_total\{[^}]*\} 2\n/);
});
