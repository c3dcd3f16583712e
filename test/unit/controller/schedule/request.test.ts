import test from 'ava';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { requestFor } from '../../../../controller/schedule/request.ts';
import { failed, node, service, snapshot, status, task } from '../../../support/builders.ts';

const web = service({ placement: { maxPer: [{ label: 'node', count: 9 }] } });
const nodes = [node('n1'), node('n2'), node('n3', { condition: 'lost' })];

test('present tasks count for max_per, those of the current template that stay for the spread', t => {
  const old = task({ ...web, templateHash: 'old' }, 'n1', { slot: 1 });
  const tasks = [task(web, 'n1'), old, task(web, 'n2', { slot: 2, desired: 'stop' }), task(web, 'n3', { slot: 3 }), task(web, 'n2', { slot: 4 })];
  const state = snapshot({ nodes, services: [web], tasks, statuses: [...tasks.slice(0, 4).map(one => status(one)), ...tasks.slice(4).map(one => failed(one))] });
  const request = requestFor(state, new NodeTable(state), web);
  t.deepEqual([0, 1, 2].map(row => request.placed.count('node', row)), [2, 1, 0]);
  t.deepEqual([0, 1, 2].map(row => request.current.count('node', row)), [1, 0, 0]);
  t.deepEqual([...request.previous.keys()], [0, 1, 2, 3], 'where it failed it does not go back to');
});

test('neighbours count what the call placed too', t => {
  const db = service({ name: 'db' });
  const near = service({ placement: { affinity: [{ service: 'db', label: 'node' }] } });
  const state = snapshot({ nodes, services: [db, near], tasks: [task(db, 'n1')] });
  const request = requestFor(state, new NodeTable(state), near, new Map([[db.id, [1]]]));
  t.deepEqual([0, 1, 2].map(row => request.neighbours[0]?.counts.count('node', row)), [1, 1, 0]);
});
