import test from 'ava';
import type { VolumeView } from '#model/ports.ts';
import { ClusterError } from '#model/errors.ts';
import { deleteObjects } from '../../../../cli/commands/delete-flow.ts';
import { removeNodes } from '../../../../cli/commands/node-flow.ts';
import { inspectVolumes, listVolumes, removeVolumes } from '../../../../cli/commands/volume-flow.ts';
import { node, taskId, volume } from '../../../support/builders.ts';
import { clusterView } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell, frame, framesOf } from '../../../support/fake-shell.ts';

const views = (...volumes: readonly ReturnType<typeof volume>[]): readonly VolumeView[] => volumes.map(one => ({ volume: one, users: [], services: [] }));
const TWO = views(volume('n1', { slot: 0 }), volume('n2', { slot: 1 }));
function cluster(listed: readonly VolumeView[] | Error, ...shown: Parameters<typeof clusterView>): FakeCluster {
  const made = new FakeCluster(clusterView(...shown));
  made.answers.set('listVolumes', listed);
  return made;
}
const asked = ({ calls }: FakeCluster, name: string): readonly unknown[] => calls.filter(([call]) => call === name).map(([, request]) => request);

test('the volumes of a namespace, of all with -a or -A, of a node', async t => {
  const fake = cluster(TWO);
  const shell = fakeShell(fake, { output: 'name' });
  await listVolumes(shell, [], {});
  await listVolumes(shell, [], { all: true });
  await listVolumes(shell, ['data-1'], { node: 'n2' });
  t.deepEqual(asked(fake, 'listVolumes'), [{ namespace: 'default' }, {}, { namespace: 'default' }]);
  t.is(shell.terminal.text, 'volume/data-0\nvolume/data-1\n'.repeat(2) + 'volume/data-1\n');
  await t.throwsAsync(listVolumes(shell, ['dta'], {}), { message: "no volume is named 'dta' in namespace 'default'; see clusterctl volume ls -A" });
});
test('inspect is an array', async t => {
  const shell = fakeShell(cluster(TWO));
  await inspectVolumes(shell, ['data-1']);
  t.like((JSON.parse(shell.terminal.text) as unknown[])[0], { name: 'data-1', ordinal: 1, node: 'n2' });
});
test('rm says what is gone, and what waits for a node that is away', async t => {
  const fake = cluster([]);
  const shell = fakeShell(fake);
  await removeVolumes(shell, ['data-0'], { force: true, node: 'n1' });
  t.like(asked(fake, 'removeVolume')[0], { namespace: 'default', name: 'data-0', node: 'n1', isForced: true });
  const away = { ...clusterView().nodes[0], node: node('n1', { condition: 'lost' }) } as ReturnType<typeof clusterView>['nodes'][number];
  const waiting = fakeShell(cluster(views(volume('n1', { state: 'removing' })), { nodes: [away] }));
  await removeVolumes(waiting, ['data'], {});
  t.deepEqual([shell.terminal.text, waiting.terminal.text], ['volume/data-0 removed\n', 'volume/data is being removed: n1 is away, its data goes when it is back\n']);
});
test('an App is deleted without its volumes: they are named, with the way to remove them', async t => {
  const fake = cluster(TWO);
  fake.views.push(clusterView({ apps: [], services: [], tasks: [] }));
  const shell = fakeShell(fake);
  await deleteObjects(shell, ['app/shop'], {});
  t.like(asked(fake, 'deleteApp')[0], { app: 'shop', withVolumes: false });
  t.is(shell.terminal.text, 'app/shop deleted\nits volumes stay: data-0 on n1, data-1 on n2; remove them with: clusterctl volume rm data-0 data-1 -n default\n');
});
test('an App is deleted with its volumes', async t => {
  const fake = cluster([]);
  fake.views.push(clusterView({ apps: [], services: [], tasks: [] }));
  const shell = fakeShell(fake);
  await deleteObjects(shell, ['app/shop'], { volumes: true });
  t.like(asked(fake, 'deleteApp')[0], { app: 'shop', withVolumes: true });
  t.is(shell.terminal.text, 'app/shop deleted\n');
  await t.throwsAsync(deleteObjects(shell, ['svc/shop/web'], { volumes: true }), { message: /--volumes is for whole Apps; service\/shop\/web is none/ });
});
test('a node that is removed takes data along: it is said which', async t => {
  const shell = fakeShell(cluster(views(volume('n1', { slot: 0 }), volume('n2'), volume('n1', { name: 'own', isPerNode: true }))));
  await removeNodes(shell, ['n1']);
  t.is(shell.terminal.text, 'node/n1 removed, and with it the data of volume default/data-0\n');
});
test('a controller of an earlier version, which knows no volumes, is no obstacle', async t => {
  const fake = cluster(new ClusterError('FAILED_PRECONDITION', 'no such call'));
  fake.views.push(clusterView({ apps: [], services: [], tasks: [] }));
  const shell = fakeShell(fake);
  await removeNodes(shell, ['n1']);
  await deleteObjects(shell, ['app/shop'], {});
  t.is(shell.terminal.text, 'node/n1 removed\napp/shop deleted\n');
});

test('the size of what a task uses is asked of its node; what nobody tells is none', async t => {
  const [used, other] = views(volume('n1', { slot: 0 }), volume('n2', { slot: 1 }));
  const fake = cluster([{ ...used, users: [{ task: taskId('db'), name: 'db-0' }] } as VolumeView, ...(other === undefined ? [] : [other])]);
  fake.tunnelScript = () => framesOf([frame('{"volumes":[{"name":"default/data-0","bytes":2097152}]}'), { kind: 'eof' }]);
  const shell = fakeShell(fake);
  await listVolumes(shell, [], { size: true });
  t.deepEqual(shell.terminal.text.trim().split('\n').map(line => line.trim().split(/  +/).at(-1)), ['SIZE', '2.0 MiB', '-']);
  const old = fakeShell(fake, { output: 'json' });
  fake.tunnelScript = () => framesOf([frame('{}'), { kind: 'eof' }]);
  await inspectVolumes(old, ['data-0']);
  t.like((JSON.parse(old.terminal.text) as unknown[])[0], { sizeBytes: null }, 'an earlier agent says none');
});
