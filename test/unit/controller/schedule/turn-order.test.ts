import test from 'ava';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { turnOrder } from '../../../../controller/schedule/turn-order.ts';
import { node, resources, service, snapshot } from '../../../support/builders.ts';

const table = new NodeTable(snapshot({ nodes: [node('n1', { capacity: resources(1_000, 1_000) })] }));
const of = (name: string, milliCpu: number, priority = 0): { readonly service: ReturnType<typeof service> } =>
  ({ service: service({ name, placement: { priority }, container: { requests: resources(milliCpu, 1) } }) });

test('priority, then size, then name; alike stand together', t => {
  const pending = [of('small-b', 10), of('big', 500), of('small-a', 10), of('urgent', 1, 9)];
  const names = (some: typeof pending): readonly string[] => turnOrder(table, some).map(({ one }) => one.service.name);
  t.deepEqual(names(pending), ['urgent', 'big', 'small-a', 'small-b']);
  t.deepEqual(names(pending.toReversed()), names(pending));
  t.deepEqual(turnOrder(table, pending).map(({ alike }) => alike), [1, 1, 2, 2]);
});
