import test from 'ava';
import { appTable, eventTable, formatPorts, nodeTable, serviceTable, taskTable } from '../../../../cli/format/rows.ts';
import { formatTable } from '../../../../cli/format/table.ts';
import { parseNodeId } from '#model/ids.ts';
import type { TaskView } from '#model/ports.ts';
import { clusterView, serviceView, taskView, WEB } from '../../../support/cluster-view.ts';
import { node, resources, T0 } from '../../../support/builders.ts';
import type { NodeOptions } from '../../../support/builders.ts';
import { golden } from '../../../support/golden.ts';

const VIEW = clusterView();
const NOW = T0 + 185_000;

test('tables as a person reads them', t => {
  const tables = [
    ...[false, true].flatMap(isWide => [nodeTable(VIEW.nodes, VIEW.tasks, NOW, isWide), serviceTable(VIEW.services, NOW, isWide), taskTable(VIEW, NOW, { isWide }), appTable(VIEW, NOW, isWide)]),
    eventTable([{ type: 'warning', object: 'node/n1', reason: 'Lost', message: 'a\u001b[31mb', firstAtMs: T0, lastAtMs: T0, count: 2 }], NOW),
  ];
  golden(t, 'cli/tables.txt', tables.map(formatTable).join('\n'));
});

test('of all namespaces tasks are listed with theirs in front, and once', t => {
  t.deepEqual(taskTable(VIEW, NOW, { isOfAll: true }).head.slice(0, 3), ['NAMESPACE', 'TASK', 'NAME']);
  const wide = taskTable({ ...VIEW, crons: [serviceView(WEB, { running: 0, healthy: 0, wanted: 0 })] }, NOW, { isOfAll: true, isWide: true });
  t.deepEqual(wide.rows.map(row => [row.length, row[0]]), wide.rows.map(() => [wide.head.length, 'default']));
  t.is(wide.head.filter(name => name === 'NAMESPACE').length, 1);
});

test('a node that is being drained is drained when nothing runs there', t => {
  const stateOf = (tasks: readonly TaskView[], condition: 'ready' | 'lost' = 'ready'): string | undefined =>
    nodeTable([{ node: node('n1', { availability: 'draining', condition }), ledger: { node: parseNodeId('n1'), requests: resources(0, 0), hostPorts: [] } }], tasks, NOW, false).rows[0]?.[1];
  t.is(stateOf([taskView(WEB, 0, 'n1')]), 'draining');
  t.is(stateOf([taskView(WEB, 0, 'n1', { phase: 'complete' }), taskView(WEB, 1, 'n2')]), 'drained');
  t.is(stateOf([], 'lost'), 'lost');
});

test('an event that was told in different words has a row for each of them, in the order of their times', t => {
  const messages = [{ message: 'no node fits', firstAtMs: T0, lastAtMs: T0 + 5_000, count: 2 }, { message: 'cut ...', firstAtMs: T0 + 60_000, lastAtMs: T0 + 65_000, count: 1 }];
  const event = { type: 'warning', object: 'service/default/shop/web', reason: 'Pending', message: 'cut no more', firstAtMs: T0, lastAtMs: T0 + 65_000, count: 3, messages } as const;
  const other = { type: 'normal', object: 'node/n1', reason: 'Ready', message: 'm', firstAtMs: T0, lastAtMs: T0 + 10_000, count: 1 } as const;
  t.deepEqual(eventTable([other, event], NOW).rows.map(row => row.slice(2)), [
    ['service/default/shop/web', 'Pending', '2', 'no node fits'], ['node/n1', 'Ready', '1', 'm'], ['service/default/shop/web', 'Pending', '1', 'cut no more'],
  ]);
});

test('formatPorts', t => {
  t.is(formatPorts([
    { published: 80, target: 8080, protocol: 'tcp', mode: 'ingress', allowFrom: [] }, { target: 9, protocol: 'udp', mode: 'ingress', allowFrom: [] },
    { published: 5, target: 5, protocol: 'tcp', mode: 'host', allowFrom: [] },
  ]), '80->8080/tcp, 9/udp, 5->5/tcp (host)');
});

test('a node that is not heard now says so, whatever else it is', t => {
  const stateOf = (condition: 'ready' | 'silent' | 'lost', availability: 'active' | 'cordoned'): string | undefined =>
    nodeTable([{ node: node('n1', { availability, condition }), ledger: { node: parseNodeId('n1'), requests: resources(0, 0), hostPorts: [] } }], [], NOW, false).rows[0]?.[1];
  t.is(stateOf('silent', 'active'), 'silent');
  t.is(stateOf('silent', 'cordoned'), 'cordoned, silent');
  t.is(stateOf('ready', 'active'), 'ready');
  t.is(stateOf('lost', 'active'), 'lost');
});

test('a node whose network cannot be made shows it, but for one that is lost; wide, also what is wrong', t => {
  const rowOf = (options: NodeOptions): readonly string[] => nodeTable(
    [{ node: node('n1', { networkFault: 'network: no\tvxlan', ...options }), ledger: { node: parseNodeId('n1'), requests: resources(0, 0), hostPorts: [] } }], [], NOW, true,
  ).rows[0] ?? [];
  t.is(rowOf({})[1], 'network fault');
  t.is(rowOf({}).at(-1), 'network: no\\u0009vxlan');
  t.is(rowOf({ availability: 'cordoned', condition: 'silent' })[1], 'cordoned, silent, network fault');
  t.is(rowOf({ condition: 'lost' })[1], 'lost');
});
