import test from 'ava';
import type { TaskStatus } from '#model/task.ts';
import { readMeasures } from '../../../../controller/autoscale/readings.ts';
import type { Measured } from '../../../../controller/autoscale/readings.ts';
import { node, service, snapshot, status, T0, task } from '../../../support/builders.ts';

const MIB = 2 ** 20;
const SPEC = { min: 1, max: 5, cpuPercent: 60, memoryPercent: 80, stabilizationMs: 0, upStabilizationMs: 0 };
const of = service({ autoscale: SPEC, container: { requests: { milliCpu: 200, memoryBytes: 100 * MIB } } });
const tasks = [0, 1, 2].map(slot => task(of, 'n1', { slot }));
const WARM_MS = T0 + 60_000;
const used = (milliCpu: number, mib: number) => ({ milliCpu, memoryBytes: mib * MIB });

function read(measured: Partial<Measured>, statuses: readonly TaskStatus[] = tasks.map(one => status(one)), spec: Parameters<typeof readMeasures>[1]['spec'] = SPEC, made = tasks) {
  return readMeasures(snapshot({ services: [of], tasks: made, statuses, nodes: [node('n1')] }), { id: of.id, spec }, { use: new Map(), nowMs: WARM_MS, ...measured });
}

test('what tasks use is told in per cent of what they request', t => {
  const use = new Map(tasks.map((one, index) => [one.id, used(100 * (index + 1), 50)]));
  const common = { kind: 'use', unknownCount: 0, unreadyCount: 0 } as const;
  t.deepEqual(read({ use }), [
    { ...common, name: 'cpu', targetPercent: 60, percents: [50, 100, 150] }, { ...common, name: 'memory', targetPercent: 80, percents: [50, 50, 50] },
  ]);
});

test('a sidecar counts with its task: what it requests is requested', t => {
  const withSidecar = task(of, 'n1', { companions: [{ name: 'proxy', role: 'sidecar', container: of.spec.container }] });
  t.like(read({ use: new Map([[withSidecar.id, used(100, 50)]]) }, [status(withSidecar)], SPEC, [withSidecar])[0], { percents: [25] });
});

test('tasks of which nothing is known are counted', t => {
  const use = new Map([[tasks[0]!.id, used(100, 50)]]);
  t.like(read({ use })[0], { percents: [50], unknownCount: 2, unreadyCount: 0 });
});

test('the cpu may be unknown where the memory is known', t => {
  const [cpu, memory] = read({ use: new Map([[tasks[0]!.id, { memoryBytes: 50 * MIB }]]) });
  t.deepEqual(cpu, { kind: 'missing', problem: 'its cpu is not known: no agent reports what its tasks use' });
  t.like(memory, { kind: 'use', percents: [50] });
});

test('tasks that do not serve, or started just now, are not ready', t => {
  const use = new Map(tasks.map(one => [one.id, used(100, 50)]));
  const [first, second, third] = tasks.map(one => status(one));
  const statuses = [first!, { ...second!, health: 'unhealthy' as const }, { ...third!, startedAtMs: WARM_MS - 29_999 }];
  t.like(read({ use }, statuses)[0], { percents: [50], unreadyCount: 2 });
  t.like(read({ use }, [first!, second!, { ...third!, startedAtMs: WARM_MS - 30_000 }])[0], { percents: [50, 50, 50], unreadyCount: 0 });
});

test('while nothing is ready, nothing is missing', t => {
  t.like(read({}, tasks.map(one => status(one, { phase: 'pulling' })))[0], { kind: 'use', percents: [], unreadyCount: 3 });
});

test('why there is no usage is told', t => {
  t.deepEqual(read({ usageProblem: 'NATS is away' })[0], { kind: 'missing', problem: 'its cpu is not known: NATS is away' });
});

const METRIC = { min: 0, max: 5, cpuPercent: 60, metric: { query: 'q', target: 4 }, stabilizationMs: 0, upStabilizationMs: 0 };

test('a metric stands after the use', t => {
  t.deepEqual(read({ use: new Map([[tasks[0]!.id, used(100, 50)]]), answer: { kind: 'value', value: 7 } }, undefined, METRIC).at(-1), { kind: 'metric', target: 4, value: 7 });
  t.deepEqual(read({ answer: { kind: 'problem', message: 'p:9090 cannot be asked' } }, undefined, METRIC).at(-1), { kind: 'missing', problem: 'the metric is not known: p:9090 cannot be asked' });
  t.deepEqual(read({}, undefined, METRIC).at(-1), { kind: 'missing', problem: 'the metric is not known: it was not asked for yet' });
});

test('of what runs nowhere the metric alone is read', t => {
  t.deepEqual(read({ answer: { kind: 'value', value: 0 } }, [], METRIC, []), [{ kind: 'metric', target: 4, value: 0 }]);
});
