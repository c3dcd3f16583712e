import test from 'ava';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { KeptTable } from '../../../../controller/schedule/kept-table.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { failed, node, resources, service, snapshot, status, task } from '../../../support/builders.ts';

const web = service({ container: { requests: resources(100, 10) } });
const [one, two] = [task(web, 'n1'), task(web, 'n2', { slot: 1 })] as const;
const nodes = [node('n1'), node('n2')];

function free(table: NodeTable): readonly object[] {
  return table.nodes.map((_, row) => table.free(row));
}

function isAsNew(kept: KeptTable, of: ClusterSnapshot): boolean {
  return JSON.stringify(free(kept.at(of))) === JSON.stringify(free(new NodeTable(of)));
}

test('it is the same table, brought forward by what was touched since', t => {
  const kept = new KeptTable();
  const first = kept.at(snapshot({ nodes, services: [web], tasks: [one] }));
  const both = snapshot({ nodes, services: [web], tasks: [one, two], statuses: [status(one)] });
  kept.touch({ nodes: [two.node], services: [web.id] });
  t.true(isAsNew(kept, both));
  t.is(kept.at(both), first);
  const ended = snapshot({ nodes, services: [web], tasks: [one, two], statuses: [failed(one)] });
  kept.touch({ nodes: [one.node], services: [web.id] });
  t.true(isAsNew(kept, ended));
  const removed = snapshot({ nodes: [node('n2')], services: [web], tasks: [two] });
  kept.touch({ nodes: [one.node], services: [] });
  t.true(isAsNew(kept, removed));
});

test('what nobody touched is as it was; after a drop it is a new one', t => {
  const kept = new KeptTable();
  kept.at(snapshot({ nodes, services: [web], tasks: [] }));
  const both = snapshot({ nodes, services: [web], tasks: [one, two] });
  t.false(isAsNew(kept, both));
  kept.drop();
  t.true(isAsNew(kept, both));
});
