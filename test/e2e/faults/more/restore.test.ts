/** Row B12: etcd restored from a backup that is older than what runs (needs root). */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { requireCommand } from '#kit/command-process.ts';
import type { ControlClient } from '#model/ports.ts';
import { TEST_TIMES } from '#model/times.ts';
import { killDevProcess } from '../../../../cli/dev/dev-fault-flow.ts';
import { unmarkDown } from '../../../../cli/dev/cluster-fs.ts';
import { ClusterHistory } from '../../../support/cluster-history.ts';
import { DevCluster, eventually } from '../../../support/dev-cluster.ts';
import { identityOf, oneService, pidOf, running } from '../../../support/node-faults.ts';

const STORE = ['c1', 'c2', 'etcd'] as const;
/** As deploy/README.md says. */
const RAISED = ['--bump-revision', '1000000000', '--mark-compacted'];

let cluster: DevCluster;
let client: ControlClient;

test.before(async () => {
  cluster = await DevCluster.up({ times: 'test' });
  client = cluster.client();
});
test.after.always('nothing is left', async t => {
  client.close();
  t.deepEqual(await cluster.down(), []);
});

async function save(backup: string): Promise<void> {
  const pki = `${cluster.layout.stateDir}/pki/etcd-client`;
  await requireCommand('etcdctl', ['--endpoints', `https://127.0.0.1:${String(cluster.layout.etcdPort)}`, '--cacert', `${pki}/ca.pem`,
    '--cert', `${pki}/certificate.pem`, '--key', `${pki}/key.pem`, 'snapshot', 'save', backup]);
}

/** So many revisions. */
async function write(count: number): Promise<void> {
  const history = ClusterHistory.of(cluster.layout);
  const key = '/filler';
  for (let written = 0; written < count; written += 50) {
    await Promise.all(Array.from({ length: 50 }, async () => await history.store.transact([], [{ kind: 'put', key, value: new Uint8Array() }])));
  }
  await history.close();
}

/** Controllers and etcd down, etcd's data in the backup's place, all up again. */
async function restore(backup: string, ...options: readonly string[]): Promise<void> {
  for (const name of STORE) await killDevProcess(cluster.name, name);
  const { stateDir, etcdPeerPort } = cluster.layout;
  const peer = `https://127.0.0.1:${String(etcdPeerPort)}`;
  renameSync(`${stateDir}/etcd`, `${stateDir}/etcd-before-${String(options.length)}`);
  await requireCommand('etcdutl', ['snapshot', 'restore', backup, '--data-dir', `${stateDir}/etcd`, '--name', 'dev', '--initial-cluster', `dev=${peer}`, '--initial-advertise-peer-urls', peer, ...options]);
  for (const name of STORE.toReversed()) await unmarkDown(cluster.layout, name);
}

/** A task that keeps what it is told in a volume of node n1. */
const keeping = (text: string): string => [
  oneService({ name: 'kept', script: `echo ${text} > /data/file; trap "exit 0" TERM; while :; do sleep 1; done`, more: ['volumes: ["kept:/data"]', 'placement: { require: ["node == n1"] }'] }),
  'volumes: { kept: {} }', '',
].join('\n');
const stateOfKept = async (): Promise<unknown> => (await cluster.items('volume', 'ls')).find(volume => volume['name'] === 'kept')?.['state'];

async function pidsOf(app: string): Promise<readonly number[]> {
  return (await running(client, app, 2)).map(pidOf);
}

const identities = (pids: readonly number[]): readonly string[] => pids.map(identityOf);
const reasons = async (): Promise<readonly unknown[]> => (await cluster.tryCtl('events', '-o', 'json')).stdout.split('\n').filter(line => line !== '').map(line => (JSON.parse(line) as Record<string, unknown>)['reason']);

test.serial('B12: restored from a backup, what it knows runs on; what it does not know runs on for three LOST; data that came after it stays; that is said', async t => {
  await cluster.apply(oneService({ name: 'known', replicas: 2 }));
  const known = await pidsOf('known');
  // Its data is to go, and its node is not there to delete it.
  await cluster.apply(keeping('old'), '--wait');
  await killDevProcess(cluster.name, 'n1');
  await cluster.ctl('delete', 'app/kept', '--volumes', '--detach', '-y');
  await eventually('the volume is being removed', 60_000, async () => await stateOfKept() === 'removing');
  const backup = path.join(cluster.home, 'backup.db');
  await save(backup);
  await unmarkDown(cluster.layout, 'n1');
  await eventually('the data is gone', 60_000, async () => await stateOfKept() === undefined);
  await cluster.apply(keeping('new'), '--wait');
  // After the backup: much is written, every agent registers once more, and an App comes.
  await write(2_000);
  for (const { name } of cluster.layout.nodes) cluster.kill(name);
  await cluster.apply(oneService({ name: 'later', replicas: 2 }));
  const later = await pidsOf('later');
  const before = identities([...known, ...later]);

  await restore(backup);
  await eventually('it is said that the store went back', 60_000, async () => (await reasons()).includes('StoreWentBack'));
  t.regex((await cluster.ctl('events')), /the store went back: node n\d was told of revision \d+, etcd is at \d+; .*--bump-revision/);
  await sleep(4 * TEST_TIMES.lostMs);
  t.deepEqual(identities([...known, ...later]), before, 'nothing is done by such a store');

  await restore(backup, ...RAISED);
  const restoredAtMs = performance.now();
  const nodesReady = async (): Promise<boolean> => (await cluster.items('get', 'nodes')).every(node => node['state'] === 'ready');
  await eventually('each node is told what it is to run', 60_000, async () => (await reasons()).includes('UnknownTask') && await nodesReady());
  await eventually('what the store does not know is gone', 60_000, () => later.every(pid => identityOf(pid) === ''));
  t.true(performance.now() - restoredAtMs > 2 * TEST_TIMES.lostMs, 'it had a grace');
  t.deepEqual(identities(known), before.slice(0, 2), 'what the store knows was not touched');

  await eventually('the data that is newer than its removal stays, and that is said', 60_000, async () => (await reasons()).includes('VolumeKept') && await stateOfKept() === 'unused');
  t.is(readFileSync(`${cluster.layout.stateDir}/n1/state/volumes/default/kept/file`, 'utf8'), 'new\n');
  await cluster.ctl('volume', 'rm', 'kept', '-y');
  t.false(existsSync(`${cluster.layout.stateDir}/n1/state/volumes/default/kept`), 'asked again, it goes');

  await cluster.ctl('scale', 'known/main=3', '--wait');
  await cluster.apply(oneService({ name: 'later', replicas: 2 }), '--wait');
  t.is((await pidsOf('later')).length, 2);
  t.deepEqual(identities(known), before.slice(0, 2));
});
