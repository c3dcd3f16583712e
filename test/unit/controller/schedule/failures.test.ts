import test from 'ava';
import { Failures, homeOf } from '../../../../controller/schedule/failures.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { summarize } from '../../../../controller/schedule/obstacle-summary.ts';
import { requestFor } from '../../../../controller/schedule/request.ts';
import { parseNodeId } from '#model/ids.ts';
import { node, service, snapshot } from '../../../support/builders.ts';

const state = snapshot({ nodes: [node('n1'), node('n2')] });
const none = summarize([]);

test('slots of one class share a failure; a slot with data or a node of its own is another class', t => {
  const db = service({ container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] }, volumes: [{ name: 'data', perReplica: true }] });
  const request = requestFor(state, new NodeTable(state), db);
  request.homes.set('default/data-1', parseNodeId('n1'));
  const failures = new Failures(request);
  const failure = failures.add({ slot: 0 }, 2, () => none);
  t.is(failures.known({ slot: 2 }), failure);
  t.is(failures.known({ slot: 1 }), undefined);
  t.is(failures.known({ slot: 2, node: parseNodeId('n1') }), undefined);
  t.deepEqual([homeOf(request, 1), homeOf(request, 0)], [parseNodeId('n1'), undefined]);
});

test('what keeps the whole service back is known for every slot', t => {
  const failures = new Failures(requestFor(state, new NodeTable(state), service()));
  const failure = failures.addForAll(none);
  t.is(failures.known({ slot: 7, node: parseNodeId('n2') }), failure);
});
