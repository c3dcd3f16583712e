/** Rows G6, G7 and G8: what a registry that is away, a tag that moves and fifty tasks at once do to images (needs root). */
import { readFileSync } from 'node:fs';
import test from 'ava';
import type { ControlClient } from '#model/ports.ts';
import type { Digest } from '#model/digest.ts';
import { DevCluster } from '../../../support/dev-cluster.ts';
import { startFakeRegistry } from '../../../support/fake-registry.ts';
import type { FakeRegistry, ServedImage } from '../../../support/fake-registry.ts';
import { goodImage } from '../../../support/image-builder.ts';
import { running } from '../../../support/node-faults.ts';

const TASKS = 50;

let cluster: DevCluster;
let client: ControlClient;
let fake: FakeRegistry;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
  client = cluster.client();
  const pki = `${cluster.layout.stateDir}/pki/registry`;
  fake = await startFakeRegistry({ host: cluster.layout.hostAddress, tls: { cert: readFileSync(`${pki}/certificate.pem`), key: readFileSync(`${pki}/key.pem`) } });
});

test.after.always('nothing is left', async t => {
  client.close();
  await closeRegistry();
  t.deepEqual(await cluster.down(), []);
});

/** G6 closes it earlier. */
let isClosed = false;
async function closeRegistry(): Promise<void> {
  if (!isClosed) await fake[Symbol.asyncDispose]();
  isClosed = true;
}

function manifest(name: string, image: string, replicas: number): string {
  return [
    'apiVersion: gantry/v1', 'kind: App', `metadata: { name: ${name} }`, 'services:', '  main:', `    image: ${image}`, `    replicas: ${String(replicas)}`,
    '    stop_grace_period: 1s', '    resources: { requests: { cpus: 0.01, memory: 8Mi }, limits: { memory: 32Mi } }', '',
  ].join('\n');
}

/** The same image, also by a tag. */
function tagged(tag: string, { served, digest }: { readonly served: ServedImage; readonly digest: Digest }): ServedImage {
  const manifest = served.manifests.get(digest);
  return manifest === undefined ? served : { ...served, manifests: new Map([...served.manifests, [tag, manifest]]) };
}

test.serial('G7: a tag that moves between two replicas: one digest a Revision, and the next Revision has the other', async t => {
  const [old, next] = [goodImage('old', 4_096), goodImage('next-one', 4_096)];
  const image = `${fake.registry}/moving:v1`;
  const digestsOf = async (count: number): Promise<readonly (Digest | undefined)[]> => [...new Set((await running(client, 'g7', count, 60_000)).map(view => view.task.container.digest))];
  fake.serve(tagged('v1', old));
  await cluster.apply(manifest('g7', image, 1));
  t.deepEqual(await digestsOf(1), [old.digest]);
  fake.serve(tagged('v1', next));
  await cluster.ctl('scale', 'g7/main=3');
  t.deepEqual(await digestsOf(3), [old.digest]);
  await cluster.apply(manifest('g7', image, 3), '--wait');
  t.deepEqual(await digestsOf(3), [next.digest]);
  await cluster.ctl('delete', 'app/g7', '-y');
});

test.serial(`G8: ${String(TASKS)} tasks of one image on one node: each blob is fetched once`, async t => {
  const image = goodImage('g8', 2 ** 20);
  fake.serve(image.served);
  await cluster.apply(manifest('g8', `${fake.registry}/many@${image.digest}`, TASKS));
  await running(client, 'g8', TASKS, 90_000);
  t.deepEqual([...fake.blobRequests.values()], [...image.served.blobs].map(() => 1));
  await cluster.ctl('delete', 'app/g8', '-y');
});

test.serial('G6: the registry away and the digest on the node: another task of it runs', async t => {
  const image = goodImage('g6', 4_096);
  fake.serve(image.served);
  await cluster.apply(manifest('g6', `${fake.registry}/kept@${image.digest}`, 1));
  await running(client, 'g6', 1, 60_000);
  await closeRegistry();
  await cluster.ctl('scale', 'g6/main=2');
  const views = await running(client, 'g6', 2);
  t.deepEqual(views.map(view => view.status?.restarts), [0, 0]);
  await cluster.ctl('delete', 'app/g6', '-y');
});
