import test from 'ava';
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Node } from '#model/node.ts';
import type { Task } from '#model/task.ts';
import { NodeQueue } from '../../../../controller/schedule/node-queue.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { requestFor } from '../../../../controller/schedule/request.ts';
import { schedule } from '../../../../controller/schedule/schedule.ts';
import { rankColumns } from '../../../../controller/schedule/scores.ts';
import { node, resources, service, snapshot, task, taskId } from '../../../support/builders.ts';
import { placementViolations } from '../../../support/placement-checker.ts';
import { Random } from '../../../sim/random.ts';

interface Case {
  readonly nodes: readonly Node[];
  readonly tasks: readonly Task[];
  readonly of: Service;
}

function randomCase(random: Random): Case {
  const nodes = Array.from({ length: random.between(1, 12) }, (_, index) => node(`n${String(index + 1)}`, {
    labels: { zone: random.pick(['a', 'b', 'c']) ?? 'a', ...(random.chance(0.3) ? { disk: 'ssd' } : {}) }, taints: random.chance(0.2) ? ['spot'] : [],
    availability: random.chance(0.1) ? 'cordoned' : 'active', capacity: resources(random.between(5, 40) * 100, random.between(5, 40) * 100), runtimes: random.chance(0.9) ? ['crun'] : ['runc'],
  }));
  const filler = service({ name: 'filler', container: { requests: resources(random.between(1, 5) * 100, 100) } });
  const tasks = nodes.flatMap((one, slot) => (random.chance(0.5) ? [task(filler, one, { slot, id: taskId(`f${String.fromCharCode(97 + slot)}`) })] : []));
  const of = service({
    replicas: random.between(8, 30),
    placement: {
      spread: random.pick([[], ['zone'], ['zone', 'node']]) ?? [], tolerate: random.chance(0.5) ? ['spot'] : [],
      require: random.chance(0.2) ? [{ label: 'zone', operator: '!=', values: ['a'] }] : [],
      prefer: random.chance(0.3) ? [{ rule: { label: 'disk', operator: '==', values: ['ssd'] }, weight: 5 }] : [],
      maxPer: random.chance(0.3) ? [{ label: random.pick(['node', 'zone']) ?? 'node', count: random.between(1, 5) }] : [],
    },
    container: { requests: resources(random.between(1, 5) * 100, random.between(1, 5) * 100) },
  });
  return { nodes, tasks, of };
}

const slotsOf = (of: Service): readonly { readonly slot: number }[] => Array.from({ length: of.spec.replicas }, (_, slot) => ({ slot }));

/** One task a call: each looks at every node. */
function oneByOne({ nodes, tasks, of }: Case): readonly string[] {
  const placed: Task[] = [];
  for (const { slot } of slotsOf(of)) {
    const state: ClusterSnapshot = snapshot({ nodes, services: [of], tasks: [...tasks, ...placed] });
    const [placement] = schedule(state, [{ service: of, slots: [{ slot }] }]).placements;
    if (placement !== undefined) {
      placed.push(task(of, placement.node, { slot, id: taskId(`w${String.fromCharCode(97 + Math.floor(slot / 26), 97 + (slot % 26))}`) }));
    }
  }
  return placed.map(one => `${String(one.slot)} ${one.node}`);
}

test('many alike in one call go where each by itself would, break no rule, and the order of what is read does not matter', t => {
  const random = new Random(7);
  for (let count = 0; count < 200; count += 1) {
    const one = randomCase(random);
    const { nodes, tasks, of } = one;
    const { placements } = schedule(snapshot({ nodes, services: [of], tasks }), [{ service: of, slots: slotsOf(of) }]);
    t.deepEqual(placements.map(({ slot, node: on }) => `${String(slot)} ${on}`), oneByOne(one), `case ${String(count)}`);
    t.deepEqual(placementViolations({ nodes, tasks, placed: placements.map(({ slot, node: on }) => ({ service: of, slot, node: on })) }), []);
    const shuffled = snapshot({ nodes: nodes.toReversed(), services: [of], tasks: tasks.toReversed() });
    t.deepEqual(schedule(shuffled, [{ service: of, slots: slotsOf(of).toReversed() }]).placements, placements);
  }
});

test('a node that is full leaves, and one that got worse by others is looked at again', t => {
  const of = service({ container: { requests: resources(100, 10) } });
  const state = snapshot({ nodes: [node('n1', { capacity: resources(100, 100) }), node('n2', { capacity: resources(300, 100) })], services: [of] });
  const table = new NodeTable(state);
  const request = requestFor(state, table, of);
  const queue = new NodeQueue(table, request, { rows: Int32Array.of(0, 1), columns: rankColumns(table, request, { isMany: true, slot: -1 }) });
  t.is(queue.best(), 1, 'the emptier one');
  table.take(1, { ...of.spec, container: { ...of.spec.container, requests: resources(250, 10) } });
  t.is(queue.best(), 0);
  table.take(0, of.spec);
  t.is(queue.best(), -1);
});
