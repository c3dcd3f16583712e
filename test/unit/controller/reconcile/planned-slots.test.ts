import test from 'ava';
import type { ServiceStatus } from '#model/app.ts';
import { parseNodeId } from '#model/ids.ts';
import { MAX_PLANNED, plannedSlots, preferPlanned } from '../../../../controller/reconcile/planned-slots.ts';
import { serviceState } from '../../../../controller/reconcile/task-row.ts';
import type { Service } from '#model/app.ts';
import { node, resources, service, serviceStatus, snapshot, T0, task } from '../../../support/builders.ts';
import type { ServiceOptions, SnapshotOptions } from '../../../support/builders.ts';

const NODES = [node('n1', { labels: { zone: 'a' } }), node('n2', { labels: { zone: 'b' } })];
const [n1, n2] = [parseNodeId('n1'), parseNodeId('n2')];

function renewed(of: Service, options: ServiceOptions = {}): Service {
  return { ...service({ ...options, kind: of.spec.kind, replicas: of.spec.replicas }), revision: 2, templateHash: 'hash-2' };
}

function look(next: Service, options: SnapshotOptions & { readonly placements?: readonly { readonly slot: number; readonly node: typeof n1 }[] } = {}): readonly string[] {
  const { placements = [], ...more } = options;
  const cluster = snapshot({ nodes: NODES, services: [next], ...more });
  const state = serviceState(cluster, next.id);
  if (state === undefined) throw new Error('the service is not there');
  const wanted = Array.from({ length: next.spec.replicas }, (_, slot) => ({ slot }));
  return plannedSlots(cluster, state, { wanted, placements }, { nowMs: T0 }).map(({ slot, node: on }) => `${String(slot)} ${on}`);
}

const db = service({ kind: 'stateful', replicas: 3 });
test('slots whose turn comes later have a node from the first look on, beside what is placed now', t => {
  t.deepEqual(look(db, { placements: [{ slot: 0, node: n2 }] }), ['1 n1', '2 n1']);
  t.deepEqual(look(service({ replicas: 2 }), { placements: [{ slot: 0, node: n1 }, { slot: 1, node: n2 }] }), [], 'all of them are placed now');
});
test('an old task that ends first leaves its room to the new one, and its data where it is', t => {
  const big = service({ kind: 'stateful', replicas: 2, container: { requests: resources(3_000, 64) } });
  const tasks = [task(big, 'n2', { slot: 0 }), task(big, 'n1', { slot: 1 })];
  t.deepEqual(look(renewed(big, { container: { requests: resources(3_500, 64) } }), { tasks, serviceStatuses: [serviceStatus(big)] }), ['0 n2', '1 n1']);
});
test('a node that is not for it any more is left', t => {
  const next = renewed(db, { placement: { require: [{ label: 'zone', operator: '==', values: ['b'] }] } });
  t.deepEqual(look(next, { tasks: [0, 1, 2].map(slot => task(db, 'n1', { slot })), serviceStatuses: [serviceStatus(db)] }), ['0 n2', '1 n2', '2 n2']);
});
test('what fits nowhere has none; a rollout that is known keeps what was chosen', t => {
  t.deepEqual(look(service({ replicas: 2, container: { requests: resources(9_000, 1) } })), []);
  const planned = [{ slot: 2, node: n2 }];
  const known = serviceStatus(db, { planned, rollout: { state: 'progressing', reason: '', revision: 1, startedAtMs: T0 } });
  t.deepEqual(look(db, { serviceStatuses: [known] }), ['2 n2']);
});
test('not for jobs, global services and gangs; and not without end', t => {
  t.deepEqual([look(service({ kind: 'job', replicas: 2 })), look(service({ placement: { isGang: true } }))], [[], []]);
  t.is(look(service({ replicas: 500, container: { requests: resources(1, 1) } })).length, MAX_PLANNED);
});

test('a create goes where its slot was planned, unless it has a node or is of the old template', t => {
  const rollout = { state: 'progressing', reason: '', revision: 1, startedAtMs: T0 } as const;
  const status: ServiceStatus = serviceStatus(db, { planned: [{ slot: 0, node: n1 }, { slot: 1, node: n1 }, { slot: 2, node: n1 }], rollout });
  const creates = [{ slot: 0, reason: '' }, { slot: 1, reason: '', node: n2 }, { slot: 2, reason: '', isOld: true as const }, { slot: 3, reason: '' }];
  const plan = { creates, createLimit: 4, stops: [], stopsOnceReplaced: [] };
  t.deepEqual(preferPlanned(plan, { service: db, status, rows: [] }).creates.map(one => one.preferred), [n1, undefined, undefined, undefined]);
  t.is(preferPlanned(plan, { service: { ...db, revision: 2 }, status, rows: [] }), plan, 'of another Revision');
});
