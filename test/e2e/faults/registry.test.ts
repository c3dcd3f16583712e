/** Rows G: a registry that is ill, and images that are (needs root). */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import type { ControlClient, TaskView } from '#model/ports.ts';
import { sha256Of } from '#registry/image-build.ts';
import { DevCluster, eventually } from '../../support/dev-cluster.ts';
import type { FakeRegistry } from '../../support/fake-registry.ts';
import { startFakeRegistry } from '../../support/fake-registry.ts';
import { buildRecipe, goodImage } from '../../support/image-builder.ts';
import type { ImageRecipe } from '../../support/image-builder.ts';
import { identityOf, running, wantedTasks, withOptions } from '../../support/node-faults.ts';
import type { HandRun } from '../../support/node-faults.ts';
import { untilNone } from '../../support/until-none.ts';

const MIB = 2 ** 20;
/** `--pull-stall` of the agent under test. */
const STALL = '4s';

let cluster: DevCluster;
let client: ControlClient;
let fake: FakeRegistry;
let agent: HandRun;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
  client = cluster.client();
  const pki = `${cluster.layout.stateDir}/pki/registry`;
  fake = await startFakeRegistry({ host: cluster.layout.hostAddress, tls: { cert: readFileSync(`${pki}/certificate.pem`), key: readFileSync(`${pki}/key.pem`) } });
  agent = await withOptions(cluster, 'n1', '--pull-stall', STALL);
});

test.after.always('nothing is left', async t => {
  client.close();
  await fake[Symbol.asyncDispose]();
  await agent.kill();
  t.deepEqual(await cluster.down(), []);
});

const IMAGES = (): string => `${cluster.layout.stateDir}/n1/state/images`;
const CASES = readFileSync(new URL('../../fixtures/badinputs/images.jsonl', import.meta.url), 'utf8').trim().split('\n')
  .map(line => JSON.parse(line) as { readonly id: string; readonly intent: string; readonly recipe: ImageRecipe });

function recipeOf(id: string): ImageRecipe {
  const found = CASES.find(one => one.id === id);
  if (found === undefined) throw new Error(`no case ${id}`);
  return found.recipe;
}

async function deploy(name: string, digest: string): Promise<void> {
  await cluster.apply([
    'apiVersion: gantry/v1', 'kind: App', `metadata: { name: ${name} }`, 'services:', '  main:',
    `    image: ${fake.registry}/bad/${name}@${digest}`, '    stop_grace_period: 1s',
    '    restart: { policy: always, max_attempts: 3, window: 10m, delay: 1s }',
    '    resources: { requests: { cpus: 0.01, memory: 8Mi }, limits: { memory: 32Mi } }', '',
  ].join('\n'));
}

async function remove(name: string): Promise<void> {
  await cluster.ctl('delete', `app/${name}`, '-y');
}

async function said(name: string, what: RegExp, limitMs = 60_000): Promise<TaskView> {
  return await eventually(`${name} to say ${String(what)}`, limitMs, async () => (await client.view({ app: name })).tasks.find(view => what.test(`${view.status?.reason ?? ''} ${view.status?.message ?? ''} ${view.status?.lastExit?.reason ?? ''}`)));
}

/** Files of images beside whole layers: staging, partials, trash. */
function leftovers(): readonly string[] {
  return ['staging', 'partials', 'trash'].flatMap(folder => {
    try {
      return readdirSync(path.join(IMAGES(), folder)).map(name => `${folder}/${name}`);
    } catch {
      return [];
    }
  });
}

test.serial('G1: a registry that answers 500 three times, then well: the task runs, and its events tell of the retries', async t => {
  const image = goodImage('g1', MIB);
  fake.serve(image.served, { manifest: ['500', '500', '500', '200'] });
  await deploy('g1', image.digest);
  await running(client, 'g1', 1, 60_000);
  t.is(fake.requests.filter(request => request.line.includes('/manifests/')).length, 4);
  await eventually('events that tell of it', 60_000, async () => (await client.events({})).some(event => event.reason === 'PullRetried' && event.message.includes('status 500; tried again')));
  await remove('g1');
});

test.serial('G2: one byte a second is given up and said so; the pull of another image goes on meanwhile', async t => {
  const image = goodImage('g2', MIB);
  fake.serve(image.served, { bytesPerSecond: 10 });
  await deploy('g2', image.digest);
  await eventually('the slow blob asked for', 60_000, () => fake.blobRequests.size > 0);
  await cluster.apply('apiVersion: gantry/v1\nkind: App\nmetadata: { name: other }\nservices:\n  main:\n    image: hello:1\n');
  await running(client, 'other');
  const view = await said('g2', /stalled/);
  t.is(view.state, 'pulling');
  t.is(view.status?.reason, 'ImagePullFailed');
  fake.serve(image.served);
  await running(client, 'g2', 1, 60_000);
  await remove('g2');
  await remove('other');
});

test.serial('G3: cut at half, the rest comes by Range: at most 1.6 times the bytes', async t => {
  const image = goodImage('g3', 8 * MIB);
  fake.serve(image.served, { cut: 0.5 });
  await deploy('g3', image.digest);
  await running(client, 'g3', 1, 60_000);
  const total = [...image.served.blobs.values()].reduce((sum, blob) => sum + blob.length, 0);
  t.true(fake.requests.some(request => request.range !== ''));
  t.true(fake.blobBytesSent <= 1.6 * total, `${String(fake.blobBytesSent)} of ${String(total)}`);
  await remove('g3');
});

test.serial('G4: a flipped bit is never unpacked; no file of it stays; the refusal is told and not repeated fast', async t => {
  const image = goodImage('g4', MIB);
  const [digest = '', blob = new Uint8Array()] = [...image.served.blobs].find(([, bytes]) => bytes.length > MIB) ?? [];
  const flipped = Buffer.from(blob);
  flipped[flipped.length - 100_000] = (flipped[flipped.length - 100_000] ?? 0) ^ 1;
  const layersBefore = readdirSync(path.join(IMAGES(), 'layers'));
  fake.serve({ ...image.served, blobs: new Map([...image.served.blobs, [digest, flipped]]) });
  await deploy('g4', image.digest);
  await said('g4', /digest mismatch|cannot be inflated/);
  await eventually('its last attempt', 60_000, async () => (await client.view({ app: 'g4' })).tasks.some(view => view.state === 'failed'));
  t.true((fake.blobRequests.get(digest) ?? 0) <= 4, `${String(fake.blobRequests.get(digest))} requests`);
  t.deepEqual(readdirSync(path.join(IMAGES(), 'layers')), layersBefore);
  t.deepEqual(await untilNone(leftovers), []);
  await remove('g4');
});

/** 20 with `test:faults`, which sets ROUNDS. */
const KILLS = process.env['ROUNDS'] === undefined ? 5 : 20;

test.serial(`G5: the agent killed in an unpack, ${String(KILLS)} times: no half layer is ever used`, async t => {
  for (let round = 1; round <= KILLS; round += 1) {
    const name = `g5-${String(round)}`;
    const image = goodImage(name, 6 * MIB);
    fake.serve(image.served, { bytesPerSecond: MIB });
    await deploy(name, image.digest);
    await eventually('the unpack under way', 60_000, () => leftovers().some(file => file.startsWith('staging/')));
    await agent.kill();
    agent.start();
    fake.serve(image.served);
    const [view] = await running(client, name, 1, 60_000);
    const { stdout } = await cluster.tryCtl('exec', `task/${view?.task.id ?? ''}`, '--', '/bin/busybox', 'wc', '-c', `/noise-${name}`);
    t.is(stdout.trim().split(' ')[0], String(6 * MIB));
    await remove(name);
  }
  t.deepEqual(await untilNone(leftovers), []);
  t.not(identityOf(agent.pid), '');
});

const BAD: Readonly<Record<string, RegExp>> = {
  i001: /entry '\.\.\/evil' escapes the layer/, i029: /bad tar header at offset 0/, i041: /'\/dev' in the image is a symlink/, i053: /layer 0: diff_id mismatch/,
  i059: /manifest over 4 MiB/, i069: /foreign layers are not fetched/, i071: /invalid user in image config/, i083: /too many redirects/, i095: /asks for a login \(401\)/,
};

for (const [id, says] of Object.entries(BAD)) {
  test.serial(`${id}: refused with a reason that a person can act on`, async t => {
    const image = buildRecipe(recipeOf(id));
    fake.serve(image.served, id === 'i095' ? { login: { username: 'a', password: 'b' } } : image.script);
    await deploy(id, image.digest);
    const view = await said(id, says);
    t.is(view.status?.reason, 'ImagePullFailed');
    t.regex(await cluster.ctl('describe', `task/${view.task.id}`), says);
    t.deepEqual((await wantedTasks(client, id)).filter(one => one.state === 'running'), []);
    await remove(id);
    t.deepEqual(await untilNone(() => leftovers().filter(file => file.startsWith('staging/'))), []);
  });
}

test.serial('an image that is not there, and one that is not for this platform: said so', async t => {
  const image = buildRecipe({});
  fake.serve({ manifests: new Map(), blobs: new Map() });
  await deploy('missing', image.digest);
  t.is((await said('missing', /not in the registry/)).status?.reason, 'ImagePullFailed');
  await remove('missing');
  const entry = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: image.digest, size: 1, platform: { os: 'linux', architecture: 's390x' } };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [entry] }));
  const digest = sha256Of(bytes);
  fake.serve({ manifests: new Map([[digest, { mediaType: 'application/vnd.oci.image.index.v1+json', bytes }]]), blobs: new Map() });
  await deploy('foreign', digest);
  t.is((await said('foreign', /platform|s390x/)).status?.reason, 'ImagePullFailed');
  await remove('foreign');
});
