import test from 'ava';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { requestFor } from '../../../../controller/schedule/request.ts';
import { isBetter, rankColumns, rankNames, rankNode, roomRank, spreadLabels } from '../../../../controller/schedule/scores.ts';
import { parseDigest } from '#model/digest.ts';
import type { Digest } from '#model/digest.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import { container, node, resources, service, snapshot, task, taskId } from '../../../support/builders.ts';

const prefer = [{ rule: { label: 'disk', operator: 'exists', values: [] }, weight: 1 }, { rule: { label: 'os', operator: 'exists', values: [] }, weight: 3 }] as const;
const web = service({ container: { requests: resources(1_000, 1_024) }, placement: { prefer } });

test('ranks: spread, wishes, where the slot was, devices left alone, room', t => {
  const db = service({ name: 'db', container: { requests: resources(1_000, 0) } });
  const policy = { ...CLOSED_NODE_POLICY, devices: [{ name: 'gpu', count: 1 }] };
  // What is to stop takes room, and makes no difference to the rank.
  const tasks = [task(web, 'n1', { slot: 3 }), task(db, 'n1', { id: taskId('td') }), task(db, 'n1', { id: taskId('te'), desired: 'stop' })];
  const state = snapshot({ nodes: [node('n1', { policy, capacity: resources(4_000, 8_192) })], services: [web, db], tasks });
  const table = new NodeTable(state);
  const request = requestFor(state, table, web);
  t.deepEqual(rankNode(table, request, 0, 0), [1, 1, 1, 1, 0.75]);
  t.deepEqual(rankNode(table, request, 0, 3), [1, 1, 0, 1, 0.75]);
  t.is(rankNames(web.spec.placement).length, 5);
});

test('packing wants what is left over to be least', t => {
  const packed = service({ container: { requests: resources(1_000, 1_024) }, placement: { policy: 'binpack' } });
  const state = snapshot({ nodes: [node('n1', { capacity: resources(2_000, 4_096) }), node('n2', { capacity: resources(4_000, 4_096) })] });
  const table = new NodeTable(state);
  const request = requestFor(state, table, packed);
  t.deepEqual([0, 1].map(row => roomRank(table, request, row)), [1.25, 1.5]);
});

test('columns say what ranks say, and none that cannot differ', t => {
  const nodes = [node('n1', { labels: { disk: 'ssd' } }), node('n2')];
  const state = snapshot({ nodes, services: [web], tasks: [task(web, 'n2')] });
  const table = new NodeTable(state);
  const at = (of: typeof web, isMany: boolean, slot: number): readonly (readonly number[])[] =>
    rankColumns(table, requestFor(state, table, of), { isMany, slot }).map(({ bucketOf, rank }) => [0, 1].map(row => rank[bucketOf[row] ?? 0] ?? -1));
  t.deepEqual(at(web, true, 0), [[0, 1], [0, 1], [1, 0]]);
  t.deepEqual(at(service({ name: 'new' }), false, 0), []);
});

test('an image that is to be fetched counts as a tenth of a node, part of them as part of it', t => {
  const [first, second] = ['a', 'b'].map(letter => parseDigest(`sha256:${letter.repeat(64)}`));
  const of = (name: string, digest: Digest, more: readonly Digest[] = []): typeof web => service({
    name, container: { digest, requests: resources(100, 0) },
    companions: more.map((one, index) => ({ name: `side-${String(index)}`, role: 'init', container: container({ digest: one, requests: resources(0, 0) }) })),
  });
  const [base, app, both, unseen] = [of('base', first!), of('app', first!), of('both', first!, [second!]), of('unseen', second!)];
  const nodes = ['n1', 'n2'].map(name => node(name, { capacity: resources(1_000, 8_192) }));
  const state = snapshot({ nodes, services: [base, app, both, unseen], tasks: [task(base, 'n1'), task(unseen, 'n2', { id: taskId('gone'), desired: 'stop' })] });
  const table = new NodeTable(state);
  const rooms = (one: typeof web): readonly number[] => [0, 1].map(row => Number(roomRank(table, requestFor(state, table, one), row).toFixed(3)));
  t.deepEqual(rooms(app), [0.2, 0.2], 'a tenth less room is as much as the image');
  t.deepEqual(rooms(both), [0.25, 0.2]);
  t.deepEqual(rooms(unseen), [0.2, 0.1], 'what is to stop keeps no image: none differ');
});

test('a service that names no spread is spread over nodes, unless it packs', t => {
  t.deepEqual(spreadLabels(service().spec.placement), ['node']);
  t.deepEqual(spreadLabels(service({ placement: { policy: 'binpack' } }).spec.placement), []);
  t.deepEqual(spreadLabels(service({ placement: { policy: 'binpack', spread: ['zone'] } }).spec.placement), ['zone']);
});

test('the first difference decides; equal is not better', t => {
  t.true(isBetter([1, 0.1], [1, 0.2]));
  t.false(isBetter([2, 0], [1, 1]));
  t.false(isBetter([0.5], [0.5]));
});
