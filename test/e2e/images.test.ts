import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { runCommand } from '#kit/command-process.ts';
import { buildImage } from '#registry/image-build.ts';
import type { BuiltImage } from '#registry/image-build.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';
import { startFakeRegistry } from '../support/fake-registry.ts';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { PLATFORM } from '../support/image-fixture.ts';
import { pushVariant } from '../support/image-variant.ts';
import { buildTar } from '../support/tar-builder.ts';

const LIMIT_MS = 60_000;
const LOGIN = { username: 'robot', password: 'not-for-logs' };

let cluster: DevCluster;
let fake: FakeRegistry;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 2, controllers: 2 });
  const pki = `${cluster.layout.stateDir}/pki/registry`;
  fake = await startFakeRegistry({ host: cluster.layout.hostAddress, tls: { cert: readFileSync(`${pki}/certificate.pem`), key: readFileSync(`${pki}/key.pem`) } });
  await pushVariant(cluster, 'hello', 'spare', { Cmd: ['/bin/true'] });
});

test.after.always(async t => {
  await fake[Symbol.asyncDispose]();
  t.deepEqual(await cluster.down(), []);
});

function app(name: string, image: string, more = ''): string {
  return `apiVersion: gantry/v1\nkind: App\nmetadata: { name: ${name} }\nservices:\n  web:\n    image: ${image}\n    command: ["/bin/sleep", "1000"]\n${more}`;
}

const nodesOf = (image: Item | undefined): readonly unknown[] => (image?.['nodes'] as readonly Item[] | undefined ?? []).map(one => one['node']);
const stderrOf = async (...args: readonly string[]): Promise<string> => {
  const { exitCode, stderr } = await cluster.tryCtl(...args);
  return `${String(exitCode)} ${stderr}`;
};

test.serial('pull brings one digest onto a node, then onto all; images and inspect show where it is (root)', async t => {
  const pulled = JSON.parse(await cluster.ctl('pull', 'hello:spare', '--node', 'n1', '-o', 'json')) as Item;
  t.like(pulled, { image: `${cluster.registry}/hello:spare`, nodes: ['n1'] });
  const find = async (): Promise<Item | undefined> => (await cluster.items('images', 'hello:spare'))[0];
  t.deepEqual(nodesOf(await find()), ['n1']);
  t.is(await cluster.ctl('image', 'pull', 'hello:spare', '-q'), '');
  const image = await find();
  t.like(image, { digest: pulled['digest'], names: [`${cluster.registry}/hello:spare`] });
  t.deepEqual(nodesOf(image), ['n1', 'n2']);
  const inspected = JSON.parse(await cluster.ctl('image', 'inspect', 'hello:spare')) as Item;
  t.like(inspected['config'], { command: ['/bin/true'] });
  t.true((inspected['layers'] as readonly Item[]).every(layer => Number(layer['sizeBytes']) > 0));
  t.regex(await cluster.ctl('images', '--node', 'n2'), /^IMAGE +DIGEST +SIZE +LAYERS +TASKS +USED +NODES\n.*hello:spare /);
});

test.serial('rmi takes an image from one node or all, and is refused where a task needs it (root)', async t => {
  await cluster.ctl('rmi', 'hello:spare', '--node', 'n1');
  t.deepEqual(nodesOf((await cluster.items('images', 'hello:spare'))[0]), ['n2']);
  await cluster.apply(app('user', 'hello:spare'), '--wait');
  const [task] = await cluster.tasks('user/web');
  t.regex(await stderrOf('rmi', 'hello:spare', '--node', String(task?.['node'])), new RegExp(`^1 error: .*is used by task/${String(task?.['id'])}`));
  await cluster.ctl('delete', 'app/user');
  await eventually('the image goes', LIMIT_MS, async () => (await cluster.tryCtl('rmi', 'hello:spare')).exitCode === 0 && (await cluster.items('images', 'hello:spare')).length === 0);
  t.regex(await stderrOf('rmi', 'hello:spare'), /^1 error: no image .*hello:spare.* on the nodes asked/);
  t.regex(await stderrOf('images', '--node', 'n9'), /^1 error: node n9 is not known/);
});

test.serial('pull_policy: never starts nothing that is not there, and runs what was pulled before (root)', async t => {
  t.regex(await stderrOf('pull', 'hello:none'), /^1 error: image .*hello:none: not in the registry/);
  const yaml = app('still', 'hello:spare', '    pull_policy: never\n    placement: { require: ["node == n1"] }\n');
  await cluster.apply(yaml, '--detach');
  const missing = await eventually('the task fails for want of its image', LIMIT_MS, async () => (await cluster.items('ps', '-a')).find(task => task['reason'] === 'ImageNotPresent'));
  t.regex(String(missing['message']), /is not on this node, and pull_policy is never; bring it with clusterctl pull --node n1/);
  await cluster.ctl('pull', 'hello:spare', '--node', 'n1');
  await cluster.ctl('delete', 'app/still');
  await cluster.apply(yaml, '--wait');
  await cluster.ctl('delete', 'app/still');
  const { exitCode, stderr } = await cluster.tryApply(app('odd', 'hello:1', '    pull_policy: sometimes\n'));
  t.is(exitCode, 1);
  t.regex(stderr, /:\d+:\d+ services\.web\.pull_policy: .*sometimes.* is none of always, if-not-present, never/);
});

test.serial('tags and tag, within a repository (root)', async t => {
  await cluster.ctl('tag', 'hello:spare', 'hello:stable');
  const tags = (await cluster.items('tags', 'hello')).map(one => one['tag']);
  t.true(['1', 'spare', 'stable'].every(tag => tags.includes(tag)));
  t.regex(await stderrOf('tag', 'hello:spare', 'other:1'), /^1 error: other:1 is no other tag of/);
});

/** A private image: whoever has no login is asked for one. */
function servePrivate(): BuiltImage {
  const busybox = readFileSync('/bin/busybox');
  const built = buildImage({
    architecture: PLATFORM.architecture, config: { Cmd: ['/bin/sleep', '1000'] },
    layers: [buildTar([{ t: 'd', n: 'bin' }, { t: 'f', n: 'bin/busybox', data: busybox, mode: 0o755 }, { t: 'l', n: 'bin/sleep', ln: 'busybox' }, ...['dev', 'proc', 'sys', 'etc', 'tmp', 'run'].map(n => ({ t: 'd' as const, n }))])],
  });
  const manifest = { mediaType: built.mediaType, bytes: built.manifest };
  fake.serve({ manifests: new Map([[built.digest, manifest], ['1', manifest]]), blobs: new Map(built.blobs.map(blob => [blob.digest, blob.bytes])) }, { login: LOGIN });
  return built;
}

test.serial('a login opens a private image for its namespace alone, and its password is in no log, record or answer (root)', async t => {
  servePrivate();
  const image = `${fake.registry}/team/private:1`;
  const login = async (password: string, ...flags: readonly string[]): Promise<string> => {
    const { exitCode, stderr, stdout } = await runCommand(cluster.program, ['login', fake.registry, '-u', LOGIN.username, '--password-stdin', ...flags], { input: `${password}\n`, environment: cluster.environment });
    return `${String(exitCode)} ${stdout}${stderr}`;
  };
  t.regex((await cluster.tryApply(app('shut', image))).stderr, /services\.web\.image: .*asks for a login \(401\)/);
  t.regex(await login('wrong'), /^1 error: .*access denied by the registry \(401\)/);
  t.regex(await login(LOGIN.password), new RegExp(`^0 namespace default is logged in at ${fake.registry.replaceAll('.', '\\.')} as robot`));
  t.like((await cluster.items('login', '--list'))[0], { namespace: 'default', registry: fake.registry, username: 'robot' });
  await cluster.apply(app('open', image, '    replicas: 2\n    placement: { spread: [node] }\n'), '--wait');
  t.true(fake.requests.filter(one => one.line.includes('/blobs/')).every(one => one.authorization !== ''));
  await cluster.ctl('pull', image);
  t.regex(await stderrOf('pull', image, '-n', 'other'), /^1 error: .*asks for a login \(401\)/);
  const logs = await Promise.all(['c1', 'c2', 'n1', 'n2'].map(name => cluster.ctl('dev', 'logs', name, '--name', cluster.name)));
  t.true(logs.every(log => log.length > 0));
  t.false([...logs, await cluster.ctl('login', '--list', '-o', 'json')].join('').includes(LOGIN.password));
  await cluster.ctl('logout', fake.registry);
  t.deepEqual(await cluster.items('login', '--list'), []);
  t.regex(await stderrOf('pull', image), /^1 error: .*asks for a login \(401\)/);
  mkdirSync(path.join(cluster.home, '.docker'));
  writeFileSync(path.join(cluster.home, '.docker/config.json'), JSON.stringify({ auths: { [fake.registry]: { auth: Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64') } } }));
  t.is(await cluster.ctl('login', fake.registry), `namespace default is logged in at ${fake.registry} as robot\n`);
  await cluster.ctl('logout', fake.registry);
  t.regex(await stderrOf('logout', fake.registry), /^1 error: namespace default has no login at/);
  await cluster.ctl('delete', 'app/open');
});
