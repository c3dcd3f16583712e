import test from 'ava';
import { fc } from '../../../support/property.ts';
import { isConverged, isExclusive, isStopFirst, planSlots } from '../../../../controller/reconcile/slot-plan.ts';
import { isServing, mayRun } from '../../../../controller/reconcile/task-row.ts';
import type { TaskRow } from '../../../../controller/reconcile/task-row.ts';
import type { ServiceOptions } from '../../../support/builders.ts';
import { node, service, status, task, taskId } from '../../../support/builders.ts';

const kinds = test.macro({
  exec(t, options: ServiceOptions, exclusive: boolean, stopFirst: boolean) {
    t.deepEqual([isExclusive(service(options)), isStopFirst(service(options))], [exclusive, stopFirst]);
  },
  title: (name = '') => name,
});
test('replicated: surges', kinds, {}, false, false);
test('replicated without surge: stop-first', kinds, { update: { maxSurge: 0 } }, false, true);
test('recreate: stop-first', kinds, { update: { strategy: 'recreate' } }, false, true);
test('hold: at most one of a slot', kinds, { onDisconnect: { kind: 'hold' } }, true, true);
test('stateful that may be replaced: still one of a slot', kinds, { kind: 'stateful', onDisconnect: { kind: 'replace', afterMs: 50_000 } }, true, true);
test('exclusive: at most one of a slot', kinds, { onDisconnect: { kind: 'exclusive', stopAfterMs: 30_000, replaceAfterMs: 70_000 } }, true, true);
test('job: one of a slot', kinds, { kind: 'job' }, true, true);

/** Any mix of tasks: slots 0..4, old or new template, wanted or not, in any phase, on nodes in any state. */
const arbitraryRow = fc.record({
  slot: fc.nat(4), hash: fc.constantFrom('hash-1', 'hash-0'), desired: fc.constantFrom('run', 'run', 'stop'), phase: fc.constantFrom('running', 'running', 'starting', 'failed'),
  health: fc.constantFrom('healthy', 'starting', 'unhealthy'), condition: fc.constantFrom('ready', 'ready', 'silent', 'lost'), availability: fc.constantFrom('active', 'active', 'draining'),
});
const arbitraryRows = fc.array(arbitraryRow, { maxLength: 10 }).map(list => list.map((one, index): TaskRow => {
  const made = task(service(), 'n1', { id: taskId(`q${String.fromCharCode(97 + index)}`), slot: one.slot, templateHash: one.hash, desired: one.desired, fence: index });
  return { task: made, status: status(made, { phase: one.phase, health: one.health }), node: node('n1', { condition: one.condition, availability: one.availability }) };
}).sort((left, right) => left.task.slot - right.task.slot || left.task.fence - right.task.fence));

function planFor(options: ServiceOptions, rows: readonly TaskRow[]) {
  const of = service(options);
  const wanted = Array.from({ length: of.spec.replicas }, (_, slot) => ({ slot }));
  return { of, plan: planSlots({ service: of, rows, wanted, blocked: new Set(), isPaused: false, isReplaceable: () => true, fitsElsewhere: () => true }) };
}

const servingSlots = (rows: readonly TaskRow[], replicas: number) => new Set(rows.filter(isServing).map(row => row.task.slot).filter(slot => slot < replicas)).size;

test('property I7: stops never take availability below what the update allows, creates never exceed the surge', t => {
  const update = fc.record({ maxSurge: fc.nat(2), maxUnavailable: fc.nat(2) });
  fc.assert(fc.property(arbitraryRows, fc.integer({ min: 0, max: 4 }), update, (rows, replicas, budget) => {
    const { plan } = planFor({ replicas, update: budget }, rows);
    const stopped = new Set(plan.stops.map(stop => stop.row));
    const before = servingSlots(rows, replicas);
    const after = servingSlots(rows.filter(row => !stopped.has(row)), replicas);
    const unavailable = budget.maxSurge === 0 ? Math.max(1, budget.maxUnavailable) : budget.maxUnavailable;
    t.true(after === before || after >= replicas - unavailable);
    const copies = rows.filter(row => mayRun(row) && row.node?.condition !== 'lost').length;
    t.true(plan.createLimit === 0 || copies + plan.createLimit <= replicas + budget.maxSurge);
    t.is(stopped.size, plan.stops.length);
  }), { numRuns: 500 });
});

test('a job runs as many at once as its parallelism, the lowest slots that are not done first', t => {
  const of = service({ kind: 'job', replicas: 6, job: { retries: 0, parallelism: 2 } });
  const rowOf = (slot: number, phase: 'running' | 'complete'): TaskRow => {
    const made = task(of, 'n1', { id: taskId(`q${String(slot)}`.replace(/\d/, digit => String.fromCharCode(97 + Number(digit)))), slot });
    return { task: made, status: status(made, { phase }), node: node('n1', {}) };
  };
  const step = (rows: readonly TaskRow[]): readonly number[] => {
    const plan = planSlots({ service: of, rows, wanted: [0, 1, 2, 3, 4, 5].map(slot => ({ slot })), blocked: new Set(), isPaused: false, isReplaceable: () => true, fitsElsewhere: () => true });
    return plan.creates.slice(0, plan.createLimit).map(one => one.slot);
  };
  t.deepEqual(step([]), [0, 1]);
  t.deepEqual(step([rowOf(0, 'running'), rowOf(1, 'running')]), []);
  t.deepEqual(step([rowOf(0, 'running'), rowOf(1, 'complete')]), [2]);
  t.deepEqual(step([0, 1, 2, 3, 4].map(slot => rowOf(slot, 'complete'))), [5]);
});

test('property I11: a held slot gets a task only when none of it may run anywhere', t => {
  fc.assert(fc.property(arbitraryRows, fc.constantFrom('service', 'stateful'), (rows, kind) => {
    const { plan } = planFor({ kind, replicas: 5, onDisconnect: { kind: 'hold' } }, rows);
    const occupied = new Set(rows.filter(mayRun).map(row => row.task.slot));
    t.true(plan.creates.every(one => !occupied.has(one.slot)));
    t.is(new Set(plan.creates.map(one => one.slot)).size, plan.creates.length);
  }), { numRuns: 500 });
});

test('property: a converged service has nothing to stop or create', t => {
  fc.assert(fc.property(arbitraryRows, fc.integer({ min: 0, max: 3 }), (rows, replicas) => {
    const { of, plan } = planFor({ replicas }, rows);
    fc.pre(isConverged(of, rows, Array.from({ length: replicas }, (_, slot) => ({ slot }))));
    t.deepEqual([plan.creates, plan.stops], [[], []]);
  }), { numRuns: 300, maxSkipsPerRun: 10_000 });
});
