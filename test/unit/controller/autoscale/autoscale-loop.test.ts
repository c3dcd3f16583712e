import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { ServiceStatus } from '#model/app.ts';
import type { ClusterUsage } from '#model/usage.ts';
import { AUTOSCALE_INTERVAL_MS, AutoscaleLoop } from '../../../../controller/autoscale/autoscale-loop.ts';
import type { QueryAnswer } from '../../../../controller/autoscale/ports.ts';
import { DeposedError } from '../../../../controller/leadership-loop.ts';
import { tryToLead } from '../../../../controller/store/election-store.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import type { RecordKey } from '../../../../controller/store/keys.ts';
import { decodeServiceStatus, encodeNode, encodeService, encodeServiceStatus, encodeTask, encodeTaskStatus } from '../../../../controller/store/records.ts';
import { node, service, serviceStatus, status, T0, task } from '../../../support/builders.ts';
import { settle } from '../../../support/fake-clock.ts';
import { MemoryReplica } from '../../../support/memory-replica.ts';

const n1 = node('n1');
const byMetric = service({ name: 'worker', replicas: 1, autoscale: { min: 0, max: 9, metric: { query: 'sum(jobs)', target: 10 }, stabilizationMs: 0, upStabilizationMs: 0 } });
const byCpu = service({
  name: 'web', replicas: 1, autoscale: { min: 1, max: 9, cpuPercent: 50, stabilizationMs: 0, upStabilizationMs: 0 }, container: { requests: { milliCpu: 100, memoryBytes: 1 } },
});
const one = task(byCpu, n1);

interface Bench {
  readonly replica: MemoryReplica;
  readonly running: Promise<unknown>;
  readonly asked: string[];
  answer: QueryAnswer;
  usage: ClusterUsage | undefined;
  /** Of the worker, or of web. */
  readonly scaled: (of?: typeof byCpu) => ServiceStatus['autoscale'];
  /** So many looks. */
  readonly look: (count?: number) => Promise<void>;
}

async function leading(t: ExecutionContext, hasQuery = true): Promise<Bench> {
  const replica = await MemoryReplica.start(t);
  const candidacy = await tryToLead(replica.store, { id: 'c1', apiAddress: 'a', metricsAddress: 'b', startedAtMs: T0 }, 1e9, replica.signal);
  const records: readonly (readonly [RecordKey, Uint8Array])[] = [
    [{ kind: 'node', id: n1.id }, encodeNode(n1)], [{ kind: 'task', id: one.id }, encodeTask(one)], [{ kind: 'status', id: one.id }, encodeTaskStatus(status(one, { startedAtMs: T0 - 60_000 }))],
    ...[byMetric, byCpu].flatMap(of => [[{ kind: 'service', id: of.id }, encodeService(of)], [{ kind: 'service-status', id: of.id }, encodeServiceStatus(serviceStatus(of))]] as const),
  ];
  for (const [key, value] of records) {
    await replica.put(key, value);
  }
  const asked: string[] = [];
  const bench: Bench = {
    replica, asked, answer: { kind: 'value', value: 10 }, usage: { isNatsConnected: true, tasks: [] }, running: Promise.resolve(),
    scaled: (of = byMetric) => {
      const [entry] = replica.etcd.range([buildKey({ kind: 'service-status', id: of.id })]);
      return entry === undefined ? undefined : decodeServiceStatus(entry.value).autoscale;
    },
    look: async (count = 1) => {
      await replica.clock.advance(AUTOSCALE_INTERVAL_MS * count);
      await settle();
    },
  };
  const loop = new AutoscaleLoop({
    store: replica.store, clock: replica.clock, logger: replica.log, cluster: replica.state, events: replica.events,
    measures: { usage: () => bench.usage, ...(hasQuery ? { query: query => { asked.push(query); return Promise.resolve(bench.answer); } } : {}) },
  }, { epoch: candidacy!.epoch, isHeld: () => true });
  const running = loop.run(replica.signal).catch((error: unknown) => error);
  await settle();
  return Object.assign(bench, { running });
}

const usageOf = (cpuMicroseconds: number, milliCpu: number): ClusterUsage => ({
  isNatsConnected: true,
  tasks: [{
    milliCpu,
    sample: { node: n1.id, task: one.id, atMs: cpuMicroseconds / 100, cpuMicroseconds, memoryBytes: 1, memoryLimitBytes: 0, processes: 1, networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0 },
  }],
});

test('what a metric asks for is in the status after a look, and down to none', async t => {
  const bench = await leading(t);
  bench.answer = { kind: 'value', value: 35 };
  await bench.look();
  t.like(bench.scaled(), { replicas: 4, reason: 'the metric is 35, 10 for each replica' });
  bench.answer = { kind: 'value', value: 0 };
  await bench.look();
  t.is(bench.scaled()?.replicas, 0);
  t.deepEqual(bench.replica.told.filter(event => event.reason === 'Scaled').map(event => event.object), [`service/${byMetric.id}`, `service/${byMetric.id}`]);
  t.deepEqual(bench.asked, ['sum(jobs)', 'sum(jobs)']);
});

test('without an answer it stays, and what is wrong is in the status and told once', async t => {
  const bench = await leading(t);
  bench.answer = { kind: 'problem', message: 'p:9090 cannot be asked' };
  await bench.look(3);
  t.like(bench.scaled(), { replicas: 1, problem: 'the metric is not known: p:9090 cannot be asked' });
  t.is(bench.replica.told.filter(event => event.object === `service/${byMetric.id}` && event.reason === 'AutoscaleBlind').length, 1);
  bench.answer = { kind: 'value', value: 10 };
  await bench.look();
  t.is(bench.scaled()?.problem, undefined);
});

test('without --prometheus and without --nats that is what is wrong', async t => {
  const bench = await leading(t, false);
  bench.usage = undefined;
  await bench.look();
  t.regex(bench.scaled()?.problem ?? '', /no --prometheus/);
  t.regex(bench.scaled(byCpu)?.problem ?? '', /no --nats/);
  bench.usage = { isNatsConnected: false, tasks: [] };
  await bench.look();
  t.regex(bench.scaled(byCpu)?.problem ?? '', /NATS is away/);
});

test('cpu is what was used since the look before; at first, since the sample before', async t => {
  const bench = await leading(t);
  bench.usage = usageOf(0, 50);
  await bench.look();
  t.is(bench.scaled(byCpu)?.replicas, 1, '50 of 100 thousandths are what is aimed at');
  bench.usage = usageOf(1_000_000, 900);
  await bench.look();
  t.like(bench.scaled(byCpu), { replicas: 2, reason: 'cpu is 100% of what is requested, 50% is aimed at' });
});

test('a status that changed meanwhile is not overwritten, and the next look decides again', async t => {
  const bench = await leading(t);
  const { replica } = bench;
  bench.answer = { kind: 'value', value: 35 };
  const transact = replica.store.transact.bind(replica.store);
  let isFirst = true;
  replica.store.transact = async (compares, operations) => {
    if (isFirst && operations.some(operation => operation.key.includes('worker'))) {
      isFirst = false;
      await transact([], [{ kind: 'put', key: buildKey({ kind: 'service-status', id: byMetric.id }), value: encodeServiceStatus(serviceStatus(byMetric, { settledRevision: 7 })) }]);
    }
    return await transact(compares, operations);
  };
  await bench.look();
  t.is(bench.scaled(), undefined);
  await bench.look();
  t.is(bench.scaled()?.replicas, 4);
});

test('a leader that is none any more writes nothing and ends its term', async t => {
  const bench = await leading(t);
  bench.answer = { kind: 'value', value: 35 };
  await bench.replica.store.transact([], [{ kind: 'delete', key: buildKey({ kind: 'leader' }) }]);
  await bench.look();
  t.true(await bench.running instanceof DeposedError);
  t.is(bench.scaled(), undefined);
});
