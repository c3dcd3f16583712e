import test from 'ava';
import { allObstacles } from '../../../../controller/schedule/filters.ts';
import { eligibleRows } from '../../../../controller/schedule/eligible.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { pickRow } from '../../../../controller/schedule/pick.ts';
import { requestFor } from '../../../../controller/schedule/request.ts';
import { isBetter, rankColumns, rankNode } from '../../../../controller/schedule/scores.ts';
import { node, resources, service, snapshot, task, taskId } from '../../../support/builders.ts';
import { Random } from '../../../sim/random.ts';

interface Case {
  readonly state: ReturnType<typeof snapshot>;
  readonly of: ReturnType<typeof service>;
}

function randomService(random: Random): Case['of'] {
  const some = <T>(values: readonly T[], probability: number): readonly T[] => (random.chance(probability) ? values : []);
  return service({
    container: { requests: { ...resources(random.between(1, 6) * 100, random.between(1, 6) * 100), ...(random.chance(0.3) ? { pids: 10 } : {}) } },
    placement: {
      policy: random.pick(['spread', 'binpack'] as const) ?? 'spread', spread: some(['zone'], 0.5), maxPer: some([{ label: 'zone', count: 2 }], 0.3),
      prefer: some([{ rule: { label: 'disk', operator: 'exists', values: [] }, weight: 2 }] as const, 0.5),
      affinity: some([{ service: 'db', label: 'zone', weight: 1 }], 0.3), avoid: some([{ service: 'db', label: 'node' }], 0.3),
    },
  });
}

function randomCase(random: Random): Case {
  const nodes = Array.from({ length: random.between(1, 9) }, (_, index) => node(`n${String(index)}`, {
    labels: { zone: random.pick(['a', 'b']) ?? 'a', ...(random.chance(0.4) ? { disk: 'ssd' } : {}) }, capacity: resources(random.between(1, 20) * 100, random.between(1, 20) * 100), pids: random.between(5, 30),
  }));
  const of = randomService(random);
  const db = service({ name: 'db', container: { requests: resources(50, 50) } });
  const on = (which: Case['of'], letter: string): readonly ReturnType<typeof task>[] =>
    nodes.flatMap((one, slot) => (random.chance(0.3) ? [task(which, one, { slot, id: taskId(`${letter}${'abcdefghi'.charAt(slot)}`) })] : []));
  return { of, state: snapshot({ nodes, services: [of, db], tasks: [...on(of, 'w'), ...on(db, 'd')] }) };
}

test('the row is the one that filters and ranks, asked one node after the other, choose', t => {
  const random = new Random(11);
  for (let round = 0; round < 300; round += 1) {
    const { of, state } = randomCase(random);
    const table = new NodeTable(state);
    const request = requestFor(state, table, of);
    const slot = random.between(0, 10);
    let best = -1;
    for (const row of table.nodes.keys()) {
      const isFree = allObstacles(table, request, row, slot).length === 0;
      if (isFree && (best < 0 || isBetter(rankNode(table, request, row, slot), rankNode(table, request, best, slot)))) best = row;
    }
    t.is(pickRow(table, request, { rows: eligibleRows(table, of), columns: rankColumns(table, request, { isMany: random.chance(0.5), slot }) }, slot), best, `round ${String(round)}`);
  }
});
