import test from 'ava';
import { LabelCounts } from '../../../../controller/schedule/label-counts.ts';
import { isBetter, scoreNames, scoreNode, spreadLabels } from '../../../../controller/schedule/scores.ts';
import { node, resources, service } from '../../../support/builders.ts';

test('scores: spread, wishes, where the slot was, emptiness, each from 0 to 1', t => {
  const web = service({
    container: { requests: resources(1_000, 1_024) },
    placement: { prefer: [{ rule: { label: 'disk', operator: 'exists', values: [] }, weight: 1 }, { rule: { label: 'os', operator: 'exists', values: [] }, weight: 3 }] },
  });
  const one = node('n1');
  const request = { service: web, homes: new Map(), previous: new Map([[3, one.id]]), placed: new LabelCounts([], []), current: new LabelCounts(['node'], [one]) };
  // What is to stop takes room, and makes no difference to the score.
  const load = { node: one, used: resources(3_000, 0), wanted: resources(1_000, 0), hostPorts: new Set<string>(), devices: new Map<string, number>() };
  t.deepEqual(scoreNode(load, request, 0), [0.5, 0.75, 0, 0.5]);
  t.deepEqual(scoreNode(load, request, 3), [0.5, 0.75, 1, 0.5]);
  t.is(scoreNames(web.spec.placement).length, 4);
});
test('a service that names no spread is spread over nodes', t => {
  t.deepEqual(spreadLabels(service().spec.placement), ['node']);
});
test('the first difference decides; equal is not better', t => {
  t.true(isBetter([0.5, 0.2], [0.5, 0.1]));
  t.false(isBetter([0.4, 1], [0.5, 0]));
  t.false(isBetter([0.5], [0.5]));
});
