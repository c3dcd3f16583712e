import test from 'ava';
import type { ClusterPlan } from '#model/cluster-plan.ts';
import { parseNodeId, parseServiceId, parseTaskId } from '#model/ids.ts';
import { formatDiff, formatPlan, formatWhy, hasChanges, planItem, whyItem } from '../../../../cli/format/plan.ts';
import { resources } from '../../../support/builders.ts';

const web = parseServiceId('default/shop/web');
const [n1, n2] = [parseNodeId('n1'), parseNodeId('n2')];
const reason = { rule: 'memory', nodes: [n1, n2], have: '1Gi', need: '2Gi', sentence: '2 nodes have not enough memory free' };
const fix = { sentence: 'ask for less', edit: { kind: 'field', path: 'services.web.resources.requests.memory', value: '1Gi' } } as const;
const plan: ClusterPlan = {
  baseRevision: 42,
  actions: [
    { kind: 'keep', service: web, slot: 0, task: parseTaskId('aaaaaaaaaaaa'), node: n1, reason: '' },
    { kind: 'move', service: web, slot: 1, task: parseTaskId('bbbbbbbbbbbb'), node: n2, fromNode: n1, reason: 'drain' },
    { kind: 'start', service: parseServiceId('prod/shop/api'), slot: 0, node: n2, reason: 'scale-up' },
  ],
  unplaced: [{ service: web, count: 2, reasons: [reason], fix }],
  changes: [{ service: web, path: 'replicas', before: '2', after: '4' }, { service: web, path: 'init', after: 'true' }],
  nodes: [{ node: n1, capacity: resources(4_000, 4_096), before: resources(100, 64), after: resources(50, 32) }],
  notes: ['a note'], planId: 'cccccccccccc',
};
const nothing: ClusterPlan = { baseRevision: 1, actions: plan.actions.slice(0, 1), unplaced: [], changes: [], nodes: [], notes: [] };

test('a plan for people: what is done first, then what stays, what fits nowhere, the nodes', t => {
  t.is(formatPlan(plan), `ACTION   SERVICE         SLOT   TASK           NODE       REASON
move     shop/web        1      bbbbbbbbbbbb   n1 -> n2   drain
start    prod/shop/api   0      -              n2         scale-up
keep     shop/web        0      aaaaaaaaaaaa   n1         -

shop/web: 2 tasks fit nowhere
  - 2 nodes have not enough memory free
  fix: ask for less
note: a note
NODE   CPU REQUESTED      MEMORY REQUESTED
n1     100m -> 50m of 4   64Mi -> 32Mi of 4Gi

1 to start, 0 to stop, 1 to move, 0 to replace, 1 kept, 2 unplaced
saved for an hour: clusterctl apply -f ... --plan cccccccccccc
`);
  t.regex(formatPlan(nothing), /nothing to do\n$/);
});
test('only something else than keep is a change', t => {
  t.deepEqual([hasChanges(plan), hasChanges(nothing)], [true, false]);
});
test('a plan for scripts', t => {
  const item = planItem(plan);
  t.deepEqual((item['actions'] as unknown[])[1], { kind: 'move', namespace: 'default', app: 'shop', service: 'web', slot: 1, task: 'bbbbbbbbbbbb', node: 'n2', fromNode: 'n1', reason: 'drain' });
  t.deepEqual(item['unplaced'], [{ namespace: 'default', app: 'shop', service: 'web', count: 2, reasons: [reason], fix: { ...fix, command: null } }]);
  t.like(item, { baseRevision: 42, planId: 'cccccccccccc' });
  t.is(planItem(nothing)['planId'], null);
});
test('a diff: fields, then what that does', t => {
  t.is(formatDiff(plan), 'shop/web\n  ~ replicas: 2 -> 4\n  + init: true\n1 to start, 0 to stop, 1 to move, 0 to replace, 1 kept, 2 unplaced\n');
  t.is(formatDiff(nothing), 'nothing to do\n');
});
test('of manifests their own Apps come first, and what becomes of others is apart', t => {
  const apps = new Set(['default/shop']);
  const text = formatPlan(plan, apps);
  t.regex(text, /^ACTION .*\nmove +shop\/web .*\nkeep +shop\/web .*\n\nshop\/web: 2 tasks fit nowhere\n/);
  t.regex(text, /\n0 to start, 0 to stop, 1 to move, 0 to replace, 1 kept, 2 unplaced\n\nof other Apps, which these manifests do not name\nACTION .*\nstart +prod\/shop\/api .*\n\n1 to start, 0 to stop, 0 to move, 0 to replace, 0 kept\nsaved /);
  t.regex(formatDiff(plan, apps), /^shop\/web\n[^]*0 to start, 0 to stop, 1 to move, .*\nof other Apps, which these manifests do not name: 1 to start, .*; clusterctl plan shows it\n$/);
  t.regex(formatDiff(plan, new Set(['prod/other'])), /^nothing to do\nshop\/web\n/);
  t.notRegex(formatPlan(nothing, apps), /other Apps/);
});
test('a why, for people and for scripts', t => {
  const answer = { target: 'service/default/shop/web', state: 'pending', reasons: [reason], fix };
  t.is(formatWhy(answer), 'service/default/shop/web is pending\n  - 2 nodes have not enough memory free\n  fix: ask for less\n');
  t.deepEqual(whyItem(answer), { ...answer, fix: { ...fix, command: null } });
  const runnable = { ...answer, fix: { ...fix, command: 'clusterctl update --request-memory 1Gi shop/web' } };
  t.regex(formatWhy(runnable), /\n {2}fix: ask for less\n {2}run: clusterctl update --request-memory 1Gi shop\/web\n$/);
  t.deepEqual(whyItem(runnable), runnable);
  t.is(whyItem({ target: 'x', state: 'running', reasons: [] })['fix'], null);
});
