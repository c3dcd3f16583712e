import test from 'ava';
import { Priorities } from '../../../../controller/schedule/priorities.ts';
import { KeptTable } from '../../../../controller/schedule/kept-table.ts';
import { node, service, snapshot } from '../../../support/builders.ts';

test('a service counts with its priority of now until it is gone', t => {
  const priorities = new Priorities();
  const { id } = service({ name: 'web' });
  t.false(priorities.hasBelow(5));
  priorities.set(id, 4);
  t.true(priorities.hasBelow(5));
  priorities.set(id, 6);
  t.false(priorities.hasBelow(5));
  t.true(priorities.hasBelow(7));
  priorities.set(id, undefined);
  t.false(priorities.hasBelow(7));
});

test('a kept table follows the priorities of services that change and go', t => {
  const kept = new KeptTable();
  const at = (priority: number) => service({ name: 'web', placement: { priority } });
  const nodes = [node('n1')];
  t.true(kept.at(snapshot({ nodes, services: [at(4)] })).priorities.hasBelow(5));
  kept.touch({ nodes: [], services: [at(4).id] });
  t.false(kept.at(snapshot({ nodes, services: [at(6)] })).priorities.hasBelow(5));
  kept.touch({ nodes: [], services: [at(4).id] });
  t.false(kept.at(snapshot({ nodes })).priorities.hasBelow(99));
});
