import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import { ImageRows, digestsOf } from '../../../../controller/schedule/image-rows.ts';
import { NodeTable } from '../../../../controller/schedule/node-table.ts';
import { schedule } from '../../../../controller/schedule/schedule.ts';
import { container, failed, node, resources, service, serviceStatus, snapshot, status, task, taskId, T0 } from '../../../support/builders.ts';
import { Random } from '../../../sim/random.ts';

const digest = (letter: string): ReturnType<typeof parseDigest> => parseDigest(`sha256:${letter.repeat(64)}`);
const missingOn = (rows: ImageRows, ...digests: readonly string[]): readonly number[] | undefined => {
  const missing = rows.missing(digests, 3);
  return missing === undefined ? undefined : [...missing];
};

test('an image is on a row as long as something there has it', t => {
  const rows = new ImageRows();
  t.is(missingOn(rows, 'a'), undefined);
  rows.add(1, 'a', 1);
  rows.add(1, 'a', 1);
  t.deepEqual(missingOn(rows, 'a'), [1, 0, 1]);
  t.deepEqual(missingOn(rows, 'a', 'b'), [2, 1, 2]);
  rows.add(1, 'a', -1);
  t.deepEqual(missingOn(rows, 'a'), [1, 0, 1]);
  rows.add(1, 'a', -1);
  t.is(missingOn(rows, 'a'), undefined);
  rows.add(2, 'a', 1);
  rows.clearRow(2);
  t.is(missingOn(rows, 'a'), undefined);
});

test('digests of all containers, each once, and none of an image that was not resolved', t => {
  t.deepEqual(digestsOf(service({ container: { digest: digest('a') } }).spec), [digest('a')]);
  t.deepEqual(digestsOf(service().spec), []);
  const companions = [digest('a'), digest('b')].map((one, index) => ({ name: String(index), role: 'sidecar' as const, container: container({ digest: one }) }));
  t.deepEqual(digestsOf(service({ container: { digest: digest('a') }, companions }).spec), [digest('a'), digest('b')]);
});

test('of nodes with as much room, the one with the image; it makes no difference how far its task is', t => {
  const [base, app] = ['base', 'app'].map(name => service({ name, container: { digest: digest('a'), requests: resources(10, 1) } }));
  const nodes = ['n1', 'n2', 'n3'].map(name => node(name));
  const there = task(base!, 'n2');
  const nodeOf = (statuses: readonly ReturnType<typeof status>[]): string | undefined =>
    schedule(snapshot({ nodes, services: [base!, app!], tasks: [there], statuses }), [{ service: app!, slots: [{ slot: 0 }] }]).placements[0]?.node;
  t.deepEqual([nodeOf([]), nodeOf([status(there, { phase: 'pulling' })]), nodeOf([status(there)]), nodeOf([failed(there)])], ['n2', 'n2', 'n2', 'n1']);
});

test('of a rollout that is under way the images that it will leave count, however far it is', t => {
  const old = service({ name: 'base', replicas: 2, container: { digest: digest('a'), requests: resources(10, 1) } });
  const next = { ...service({ name: 'base', replicas: 2, revision: 2, templateHash: 'hash-2', container: { digest: digest('b'), requests: resources(10, 1) } }) };
  const app = service({ name: 'app', container: { digest: digest('b'), requests: resources(10, 1) } });
  const nodes = ['n1', 'n2', 'n3'].map(name => node(name));
  const rollout = { settledRevision: 1, rollout: { state: 'progressing', reason: '', revision: 2, startedAtMs: T0 } } as const;
  const begun = [task(old, 'n2'), task(old, 'n3', { slot: 1 })];
  const nodeOf = (tasks: readonly ReturnType<typeof task>[]): string | undefined =>
    schedule(snapshot({ nodes, services: [next, app], serviceStatuses: [serviceStatus(next, rollout)], tasks }), [{ service: app, slots: [{ slot: 0 }] }]).placements[0]?.node;
  const half = [...begun, task(next, 'n3', { slot: 1, id: taskId('new'), fence: 9 })];
  t.deepEqual([nodeOf(begun), nodeOf(half)], ['n2', 'n2']);
});

test('property: a table that is brought forward and released has the images of a new one', t => {
  const random = new Random(5);
  for (let round = 0; round < 100; round += 1) {
    const services = ['a', 'b'].map(letter => service({ name: letter, replicas: 20, revision: 2, container: { digest: digest(letter), requests: resources(10, 1) } }));
    const nodes = ['n1', 'n2', 'n3'].map(name => node(name));
    const tasks = services.flatMap((of, at) => Array.from({ length: random.between(0, 4) }, (_, slot) =>
      task(of, random.pick(nodes) ?? 'n1', { slot, id: taskId(`${'ab'.charAt(at)}${'abcde'.charAt(slot)}`), desired: random.chance(0.3) ? 'stop' : 'run' })));
    const serviceStatuses = services.map(of => serviceStatus(of, { settledRevision: random.chance(0.5) ? 1 : 2, rollout: { state: 'progressing', reason: '', revision: 2, startedAtMs: T0 } }));
    const table = new NodeTable(snapshot({ nodes, services, tasks: [] }));
    const state = snapshot({ nodes, services, serviceStatuses, tasks });
    table.refresh(state, { nodes: nodes.map(one => one.id), services: services.map(one => one.id) });
    schedule(state, services.map(of => ({ service: of, slots: [{ slot: 9 }] })), table);
    for (const letter of ['a', 'b']) t.deepEqual(missingOn(table.images, digest(letter)), missingOn(new NodeTable(state).images, digest(letter)), `round ${String(round)}`);
  }
});
