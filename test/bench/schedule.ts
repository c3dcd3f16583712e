/**
 * How fast, how well and how exactly the scheduler places: services of 100 like tasks, tasks all unlike, 500 classes mixed, one task on the loaded cluster.
 * Rates are of the process's own processor time, its collector's threads included, so that what else runs on the machine makes no difference. Making the
 * columns and writing the answer as JSON is in them; making the cluster is not.
 */
import { readFileSync } from 'node:fs';
import { PaperCluster } from '../../controller/reconcile/paper-cluster.ts';
import { KeptTable } from '../../controller/schedule/kept-table.ts';
import { rejectedSlots, schedule } from '../../controller/schedule/schedule.ts';
import type { PendingService, Schedule } from '../../controller/schedule/schedule.ts';
import type { Node } from '#model/node.ts';
import { app, service, serviceStatus, snapshot, task, taskId } from '../support/builders.ts';
import { placementViolations, unevenness } from '../support/placement-checker.ts';
import type { Placed } from '../support/placement-checker.ts';
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import { countFlag } from './count-flag.ts';
import { figures, rounded } from './report.ts';
import { letters, likeServices, makeEqualNodes, makeNodes, mixedServices, packedServices, pendingOf, spreadServices, tasksOf, unlikeServices } from './schedule-load.ts';
import { prepareGpu } from './schedule-gpu.ts';
import { readTrace, traceFigures } from './schedule-trace.ts';

const ONE_BY_ONE = 2_000;
/** Before those: what a controller does again and again is compiled, and these are what it is compiled by. */
const WARM_UP = 200;
/** What the equal machines of the packing have. */
const EQUAL = { milliCpu: 32_000, memoryBytes: 131_072 * 2 ** 20 } as const;

export const scheduleBench: Bench = {
  unit: 'like placements a second', isMoreBetter: true, runs: 1, needsDisk: false,
  goals: [
    { of: 'gantry.p50', atLeast: 50_000 }, { of: 'extra.unlike', atLeast: 5_000 }, { of: 'extra.mixed', atLeast: 20_000 }, { of: 'extra.spreadOn5000Nodes', atLeast: 10_000 },
    { of: 'extra.oneTaskP99Ms', atMost: 2 }, { of: 'extra.rssMb', atMost: 1_500 }, { of: 'extra.violations', atMost: 0 }, { of: 'extra.otherBytes', atMost: 0 },
    { of: 'extra.nodesOverBound', atMost: 1.03 }, { of: 'extra.unevenness', atMost: 1 },
  ],
  prepare: prepareSchedule,
};

interface Run {
  readonly result: Schedule;
  readonly bytes: string;
  readonly perSecond: number;
}

function place(nodes: readonly Node[], pending: readonly PendingService[]): Run {
  const state = snapshot({ nodes });
  const started = process.cpuUsage();
  const result = schedule(state, pending);
  const bytes = JSON.stringify(result.placements);
  const { user, system } = process.cpuUsage(started);
  return { result, bytes, perSecond: rounded(result.placements.length / ((user + system) / 1_000_000)) };
}

function placedOf(pending: readonly PendingService[], { placements }: Schedule): readonly Placed[] {
  const services = new Map(pending.map(one => [one.service.id, one.service]));
  return placements.flatMap(({ service: id, slot, node, deviceUnits = [] }) => {
    const of = services.get(id);
    return of === undefined ? [] : [{ service: of, slot, node, deviceUnits }];
  });
}

function prepareSchedule({ flags, tell }: BenchSite): Promise<PreparedBench> {
  if (flags.has('gpu')) {
    return Promise.resolve(prepareGpu({ directory: '', mayInstall: false, flags, tell }));
  }
  const [nodesCsv, podsCsv] = [flags.get('nodes-csv'), flags.get('pods-csv')];
  if (nodesCsv !== undefined || podsCsv !== undefined) {
    return Promise.resolve(prepareTrace(nodesCsv, podsCsv));
  }
  const [nodeCount, taskCount] = [countFlag(flags, 'nodes', 10_000), countFlag(flags, 'tasks', 100_000)];
  const nodes = makeNodes(nodeCount);
  const like = likeServices(taskCount);
  return Promise.resolve({
    gantry: { name: 'schedule', measure: () => Promise.resolve([place(nodes, like).perSecond]) },
    extra: () => Promise.resolve({ nodes: nodeCount, tasks: taskCount, ...measureOthers(nodes, { like, taskCount, tell }) }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

function measureOthers(nodes: readonly Node[], { like, taskCount, tell }: { readonly like: readonly PendingService[]; readonly taskCount: number; readonly tell: BenchSite['tell'] }): Readonly<Record<string, number>> {
  let [violations, otherBytes, rejected] = [0, 0, 0];
  const measure = (name: string, on: readonly Node[], pending: readonly PendingService[]): Run => {
    const [first, second] = [place(on, pending), place(on, pending.toReversed())];
    const found = placementViolations({ nodes: on, placed: placedOf(pending, first.result) });
    violations += found.length;
    rejected += rejectedSlots(first.result.rejections);
    otherBytes += first.bytes === second.bytes ? 0 : 1;
    tell(`${name}: ${String(first.perSecond)} and ${String(second.perSecond)} a second, ${String(rejectedSlots(first.result.rejections))} unplaced, ${String(found.length)} violations${found[0] === undefined ? '' : `, the first: ${found[0]}`}`);
    return second;
  };
  const loaded = measure('like', nodes, like);
  const unlike = measure('unlike', nodes, unlikeServices(taskCount)).perSecond;
  const mixed = measure('mixed', nodes, mixedServices(taskCount)).perSecond;
  const spreadOn5000Nodes = measure('spread', makeNodes(5_000), spreadServices(Math.min(taskCount, 50_000))).perSecond;
  const packed = packedServices(Math.min(taskCount, 20_000));
  const packing = measure('packed', makeEqualNodes(Math.ceil(packed.length / 8)), packed);
  return {
    unlike, mixed, spreadOn5000Nodes, oneTaskP99Ms: oneByOne(nodes, placedOf(like, loaded.result)), nodesOverBound: overBound(packed, packing.result), unevenness: evenness(),
    violations, otherBytes, unplaced: rejected, rssMb: Math.round(process.resourceUsage().maxRSS / 1_024),
  };
}

/** Milliseconds of processor time for one task more, by the table that a controller keeps: what the task before it changed is brought forward in it too. */
function oneByOne(nodes: readonly Node[], placed: readonly Placed[]): number {
  const services = [...new Set(placed.map(one => one.service))];
  const paper = new PaperCluster(snapshot({ nodes, services, serviceStatuses: services.map(one => serviceStatus(one)), tasks: tasksOf(placed) }));
  const kept = new KeptTable();
  kept.at(paper.snapshot);
  const times = unlikeServices(WARM_UP + ONE_BY_ONE, 99).map((pending, index) => {
    const { service: of } = pending;
    kept.touch(paper.putApp(app(of.app), [of]));
    const started = process.cpuUsage();
    const { placements: [placement] } = schedule(paper.snapshot, [pending], kept.at(paper.snapshot));
    const { user, system } = process.cpuUsage(started);
    if (placement !== undefined) {
      kept.touch(paper.apply({ kind: 'create-task', task: task(of, placement.node, { id: taskId(`m${letters(index)}`) }), reason: '' }));
    }
    return (user + system) / 1_000;
  });
  return figures(times.slice(WARM_UP)).p99;
}

/** Nodes that have a task, against what cpu or memory alone would take. */
function overBound(pending: readonly PendingService[], { placements }: Schedule): number {
  const sum = (of: (one: PendingService) => number): number => pending.reduce((total, one) => total + of(one), 0);
  const cpu = sum(({ service: { spec } }) => spec.container.requests.milliCpu) / EQUAL.milliCpu;
  const memory = sum(({ service: { spec } }) => spec.container.requests.memoryBytes) / EQUAL.memoryBytes;
  return rounded(new Set(placements.map(one => one.node)).size / Math.max(cpu, memory));
}

/** Of a service with more tasks than there are nodes. */
function evenness(): number {
  const nodes = makeEqualNodes(997);
  const of = service({ replicas: 2_500 });
  const pending = [pendingOf(of, 2_500)];
  return unevenness(nodes, placedOf(pending, schedule(snapshot({ nodes }), pending)));
}

function prepareTrace(nodesCsv: string | undefined, podsCsv: string | undefined): PreparedBench {
  if (nodesCsv === undefined || podsCsv === undefined) {
    throw new Error('give both --nodes-csv and --pods-csv');
  }
  const { nodes, pending } = readTrace(readFileSync(nodesCsv, 'utf8'), readFileSync(podsCsv, 'utf8'));
  let last: Run | undefined;
  return {
    gantry: { name: 'trace', measure: () => { last = place(nodes, pending); return Promise.resolve([last.perSecond]); } },
    goals: [{ of: 'extra.violations', atMost: 0 }, { of: 'extra.otherBytes', atMost: 0 }],
    extra: () => {
      const run = last ?? place(nodes, pending);
      const placed = placedOf(pending, run.result);
      return Promise.resolve({
        ...traceFigures(nodes, placed), unplaced: rejectedSlots(run.result.rejections),
        violations: placementViolations({ nodes, placed }).length, otherBytes: place(nodes, pending.toReversed()).bytes === run.bytes ? 0 : 1,
      });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
