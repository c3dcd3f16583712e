import test from 'ava';
import { deleteObjects } from '../../../../cli/commands/delete-flow.ts';
import { describeTargets } from '../../../../cli/commands/describe-flow.ts';
import { getObjects } from '../../../../cli/commands/get-flow.ts';
import { inspectTargets } from '../../../../cli/commands/inspect-flow.ts';
import { service, T0, volume } from '../../../support/builders.ts';
import { clusterView, serviceView } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell } from '../../../support/fake-shell.ts';

const mount = { source: 'page', target: '/etc/page', mode: 0o444 };
const web = {
  ...service({ name: 'web', container: { configs: [mount], secrets: [{ ...mount, source: 'key', target: '/run/secrets/key' }] } }),
  pins: { configs: [{ name: 'page', sha256: 'ab'.repeat(32) }], secrets: [{ name: 'key', version: 2 }] },
};

function cluster(): FakeCluster {
  const made = new FakeCluster(clusterView({ services: [serviceView(web, { running: 1, healthy: 1, wanted: 1 })] }));
  made.answers.set('listSecrets', [{ namespace: 'default', name: 'key', version: 2, createdAtMs: T0 }]);
  return made;
}

test('a secret is described by its version and who mounts it', async t => {
  const shell = fakeShell(cluster());
  await describeTargets(shell, ['secret/key']);
  t.is(shell.terminal.text, 'secret/key\nnamespace: default\nname: key\nversion: 2\ncreatedAt: 2026-01-01T00:00:00.000Z\nmounts:\n  - service: shop/web, target: /run/secrets/key, version: 2\n');
});
test('a config is described by its content\'s hash and who mounts it', async t => {
  const shell = fakeShell(cluster(), { output: 'json' });
  await describeTargets(shell, ['config/shop/page']);
  t.deepEqual(JSON.parse(shell.terminal.text), { namespace: 'default', app: 'shop', name: 'page', sha256: 'ab'.repeat(32), mountedBy: ['web'], mounts: [{ service: 'shop/web', target: '/etc/page' }] });
});
test('what is not there is said', async t => {
  await t.throwsAsync(describeTargets(fakeShell(cluster()), ['secret/kye']), { message: "no secret is named 'kye' in namespace 'default'; see clusterctl secret ls -A" });
  await t.throwsAsync(describeTargets(fakeShell(cluster()), ['config/shop/pgae']), { message: "no config is named 'shop/pgae' in namespace 'default'; see clusterctl get configs -A" });
  await t.throwsAsync(getObjects(fakeShell(cluster()), 'secret/kye', [], {}), { message: "no secret is named 'kye' in namespace 'default'; see clusterctl secret ls -A" });
});
test('configs are listed, all or by name', async t => {
  const shell = fakeShell(cluster(), { output: 'name' });
  await getObjects(shell, 'configs', [], {});
  await getObjects(shell, 'config/page', [], {});
  t.is(shell.terminal.text, 'config/shop/page\n'.repeat(2));
});
test('a config is deleted with its manifest only', async t => {
  await t.throwsAsync(deleteObjects(fakeShell(cluster()), ['config/page'], {}), { message: /take it out there and apply/ });
});

test('inspect knows every kind that describe knows, as TYPE/NAME, TYPE NAME and with --type', async t => {
  const made = cluster();
  made.answers.set('listVolumes', [{ volume: volume('n1', { slot: 0 }), users: [], services: [] }]);
  const inspected = async (words: readonly string[], flags: { readonly type?: string } = {}): Promise<readonly unknown[]> => {
    const shell = fakeShell(made);
    await inspectTargets(shell, words, flags);
    return (JSON.parse(shell.terminal.text) as readonly { readonly type: string; readonly name: string }[]).map(({ type, name }) => `${type} ${name}`);
  };
  t.deepEqual(await inspected(['secret/key', 'node/n1', 'config/shop/page', 'volume/data-0']), ['secret key', 'node n1', 'config page', 'volume data-0']);
  t.deepEqual(await inspected(['node', 'n1', 'n2']), ['node n1', 'node n2']);
  t.deepEqual(await inspected(['n1', 'node/n2'], { type: 'node' }), ['node n1', 'node n2']);
  t.deepEqual(await inspected(['key'], { type: 'secrets' }), ['secret key']);
  const none = fakeShell(made);
  await t.throwsAsync(inspectTargets(none, ['node/n1', 'volume/nope'], {}), { code: 'NOT_FOUND', message: "no volume is named 'nope' in namespace 'default'; see clusterctl volume ls -A" });
  t.is(none.terminal.text, '');
});
test('volumes are listed, described and deleted as other types', async t => {
  const made = cluster();
  made.answers.set('listVolumes', [{ volume: volume('n1', { slot: 0 }), users: [], services: [] }]);
  const names = fakeShell(made, { output: 'name' });
  await getObjects(names, 'volumes', [], {});
  await getObjects(names, 'volume/data-0', [], {});
  t.is(names.terminal.text, 'volume/data-0\n'.repeat(2));
  const both = fakeShell(made, { output: 'json' });
  await getObjects(both, 'nodes,volumes', [], {});
  t.deepEqual((JSON.parse(both.terminal.text) as { readonly items: readonly { readonly type: string }[] }).items.map(({ type }) => type), ['node', 'node', 'volume']);
  const described = fakeShell(made);
  await describeTargets(described, ['volume', 'data-0']);
  t.regex(described.terminal.text, /^volume\/data-0\nnamespace: default\nname: data-0\n/);
  await t.throwsAsync(getObjects(fakeShell(made), 'volumes', [], { watch: true }), { message: /volumes are not watched/ });
  await deleteObjects(fakeShell(made), ['volume/data-0'], { detach: true });
  t.like(made.calls.find(([name]) => name === 'removeVolume')?.[1], { name: 'data-0', namespace: 'default', isForced: false });
});
