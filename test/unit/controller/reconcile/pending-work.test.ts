/** Pending slots must not cost the leader more than one examination of the nodes for each class of slots. */
import test from 'ava';
import { serviceStatusCodec } from '#codec/service-codec.ts';
import type { PlanContext } from '../../../../controller/reconcile/plan-context.ts';
import { planService } from '../../../../controller/reconcile/service-plan.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import type { Service, ServiceStatus } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Node } from '#model/node.ts';
import { pendingCountOf } from '#model/pending-count.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { allocatedBytes } from '../../../support/allocated-bytes.ts';
import { T0, app, node, resources, service, snapshot } from '../../../support/builders.ts';

const context: PlanContext = { nowMs: T0, clusterId: 'c', times: DEFAULT_TIMES, awayForMs: () => 0, revisionOf: () => undefined };
const MIB = 2 ** 20;

interface Case {
  readonly of: Service;
  readonly quotaTasks?: number;
  readonly nodes?: readonly Node[];
}

function stateOf({ of, quotaTasks, nodes = many(300) }: Case): ClusterSnapshot {
  const policy = { name: 'default', profile: 'baseline', bindPrefixes: [], quota: { tasks: quotaTasks ?? 0, devices: [] }, createdAtMs: 0, updatedAtMs: 0 } as const;
  const state = snapshot({ nodes, apps: [app('shop')], services: [of] });
  return quotaTasks === undefined ? state : { ...state, namespaces: new Map([['default', { value: policy, createRevision: 1, modRevision: 1 }]]) };
}

function many(count: number): readonly Node[] {
  return Array.from({ length: count }, (_, index) => node(`n${String(index).padStart(5, '0')}`, { capacity: resources(1_000, 1_024) }));
}

const HUGE = { requests: resources(64_000, 16) };
const ONE_EACH = { kind: 'volume', source: 'data', target: '/data', readOnly: false } as const;
const cases: readonly (readonly [string, Case])[] = [
  ['a service that fits nowhere', { of: service({ replicas: 600, container: HUGE }) }],
  ['a service whose quota is used up', { of: service({ replicas: 600 }), quotaTasks: 0 }],
  ['a gang', { of: service({ replicas: 600, container: HUGE, placement: { isGang: true } }) }],
  ['a stateful service with a volume for each replica', {
    of: service({ kind: 'stateful', replicas: 600, container: { ...HUGE, volumes: [ONE_EACH] }, volumes: [{ name: 'data', perReplica: true }] }),
  }],
];

for (const [name, one] of cases) {
  test(`${name}: the plan allocates a bounded amount for each pending slot`, t => {
    const state = stateOf(one);
    const table = new NodeTable(state);
    const bytes = allocatedBytes(() => { planService(state, one.of.id, { ...context, table: () => table }); });
    t.true(bytes < 8 * MIB, `${String(Math.round(bytes / MIB))} MiB for 600 slots on 300 nodes`);
  });

  test(`${name}: the nodes are read once for all pending slots`, t => {
    const reads = (replicas: number): number => {
      let count = 0;
      const counted = many(100).map(each => Object.defineProperty({ ...each }, 'id', { enumerable: true, get: () => { count += 1; return each.id; } }));
      const of: Service = { ...one.of, spec: { ...one.of.spec, replicas } };
      const state = stateOf({ ...one, of, nodes: counted });
      const table = new NodeTable(state);
      count = 0;
      planService(state, of.id, { ...context, table: () => table });
      return count;
    };
    t.is(reads(400), reads(40), 'ten times the slots read as many nodes');
  });

  test(`${name}: the status counts its pending slots and lists examples, far below the limit of a record`, t => {
    const status = statusOf(stateOf({ ...one, of: { ...one.of, spec: { ...one.of.spec, replicas: 10_000 } } }), one.of);
    // Ordinals of a stateful service start one after the other: the first alone is pending.
    t.is(pendingCountOf(status), one.of.spec.kind === 'stateful' ? 1 : 10_000);
    t.true(status.pending.length > 0 && status.pending.length <= 100);
    t.true(wire.ServiceStatus.encode(serviceStatusCodec.toWire(status)).finish().length < 128 * 1_024);
  });
}

test('a few pending slots are listed each, and the count of an earlier record is the length of its list', t => {
  const status = statusOf(stateOf({ of: service({ replicas: 3, container: HUGE }) }), service({ replicas: 3, container: HUGE }));
  t.deepEqual(status.pending.map(one => one.slot), [0, 1, 2]);
  t.is(status.pendingCount, undefined, 'nothing is left out');
  t.deepEqual(serviceStatusCodec.fromWire(wire.ServiceStatus.decode(wire.ServiceStatus.encode(serviceStatusCodec.toWire(status)).finish())), status);
});

test('one event reports all slots that wait for one reason', t => {
  const of = service({ replicas: 5_000, container: HUGE });
  const { events } = planService(stateOf({ of }), of.id, context);
  t.deepEqual(events.filter(event => event.reason === 'Unschedulable').map(event => event.message.split(': ')[0]), ['slots 0, 1, 2 and 4997 more']);
});

test('a reason names its most frequent causes, however many there are', t => {
  const tainted = Array.from({ length: 2_000 }, (_, index) => node(`n${String(index).padStart(5, '0')}`, { taints: [`taint-${String(index)}`] }));
  const of = service({ replicas: 1 });
  const [pending] = statusOf(stateOf({ of, nodes: tainted }), of).pending;
  t.true((pending?.reason ?? '').length < 2_048, `${String(pending?.reason.length)} characters`);
  t.regex(pending?.reason ?? '', /and \d+ nodes for other reasons$/);
});

function statusOf(state: ClusterSnapshot, of: Service): ServiceStatus {
  const { actions } = planService(state, of.id, context);
  const status = actions.flatMap(action => (action.kind === 'set-service-status' ? [action.status] : []))[0];
  if (status === undefined) {
    throw new Error('the plan writes no status');
  }
  return status;
}
