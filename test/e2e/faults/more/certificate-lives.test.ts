/** Every certificate of a cluster lives for half a minute, three times (needs root). */
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import test from 'ava';
import { createSigningRequest, requestForKey, signRequest } from '#identity/certificate-authority.ts';
import { readCertificate } from '#identity/certificate-rules.ts';
import { connectAgent } from '#rpc/agent-client.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { writeIdentity } from '../../../../agent/identity-fs.ts';
import { DevCluster, eventually } from '../../../support/dev-cluster.ts';
import { identityOf, logLines, logSize, oneService, pidOf, running, withOptions } from '../../../support/node-faults.ts';

const LIFE_MS = 30_000;
const LIVES = 3;
const FOLDERS = ['etcd', 'etcd-client', 'nats', 'operator', 'prometheus', 'registry'];

let cluster: DevCluster;

test.before(async () => { cluster = await DevCluster.up({ nodes: 3, controllers: 2 }); });

test.after.always('nothing is left', async t => { t.deepEqual(await cluster.down(), []); });

const pki = (file: string): string => `${cluster.layout.stateDir}/pki/${file}`;
const read = (file: string): string => readFileSync(file, 'utf8');
const nodeFile = (node: string, file: string): string => `${cluster.layout.stateDir}/${node}/config/identity/${file}`;

/** Signs the certificate of a folder again: the same key and names, and a short life. */
async function shorten(folder: string): Promise<void> {
  const certificatePem = read(pki(`${folder}/certificate.pem`));
  const { peer } = readCertificate(certificatePem);
  const isServer = ['etcd', 'etcd-client', 'nats', 'registry'].includes(folder);
  const authority = { certificatePem: read(pki(`${folder}/ca.pem`)), keyPem: read(pki(folder.startsWith('etcd') ? 'etcd-ca-key.pem' : 'ca-key.pem')) };
  const places = isServer ? { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', cluster.layout.hostAddress] } : { dnsNames: [], ipAddresses: [] };
  if (peer === undefined) throw new Error(`${folder} names no peer`);
  const short = await signRequest(authority, await requestForKey(read(pki(`${folder}/key.pem`))), { ...peer, ...places }, { nowMs: Date.now(), ttlMs: LIFE_MS });
  writeFileSync(pki(`${folder}/certificate.pem.short`), short);
  renameSync(pki(`${folder}/certificate.pem.short`), pki(`${folder}/certificate.pem`));
}

function identityOfNode(node: string): TlsIdentity {
  return { caPem: read(nodeFile(node, 'ca.pem')), pair: { certificatePem: read(nodeFile(node, 'certificate.pem')), keyPem: read(nodeFile(node, 'key.pem')) } };
}

/** Gives the node a certificate of the life that controllers give now. */
async function shortenNode(node: string, controller: string): Promise<void> {
  const connection = connectAgent(controller, identityOfNode(node));
  const { csrPem, keyPem } = await createSigningRequest();
  const issued = await connection.renew(csrPem).finally(() => { connection.close(); });
  await cluster.ctl('dev', 'kill', node, '--name', cluster.name);
  await writeIdentity(`${cluster.layout.stateDir}/${node}/config`, { ...issued, keyPem });
}

/** The certificate that a server shows now. NATS begins with a line in plain text. */
async function shownAt(host: string, port: number, isNats = false): Promise<string> {
  const plain = connectTcp(port, host);
  const shown = Promise.withResolvers<string>();
  plain.once('error', error => { shown.reject(error); });
  const secure = (): void => {
    const tls = connectTls({ socket: plain, rejectUnauthorized: false }, () => { shown.resolve(tls.getPeerCertificate().valid_to); });
    tls.once('error', error => { shown.reject(error); });
  };
  plain.once(isNats ? 'data' : 'connect', secure);
  return await shown.promise.finally(() => { plain.destroy(); });
}

test.serial('a cluster lives through three lives of every certificate; a node that was off for longer than its certificate returns', async t => {
  const { hostAddress, controllers: [first, second], etcdPort, natsPort, registryPort } = cluster.layout;
  await cluster.apply(oneService({ name: 'lasting', replicas: 2, more: ['placement: { require: ["node != n3"] }'] }));
  const client = cluster.client();
  const before = (await running(client, 'lasting', 2)).map(view => identityOf(pidOf(view)));
  for (const folder of FOLDERS) await shorten(folder);
  const byHand = [await withOptions(cluster, 'c1', '--certificate-life', '30s'), await withOptions(cluster, 'c2', '--certificate-life', '30s')];
  try {
    await eventually('short certificates of nodes', 60_000, async () => {
      for (const { name } of cluster.layout.nodes) await shortenNode(name, `${hostAddress}:${String(first?.apiPort)}`);
      return true;
    });
    for (const node of ['n1', 'n2']) await cluster.ctl('dev', 'start', node, '--name', cluster.name);
    const seen = new Map<string, Set<string>>();
    const see = (what: string, certificate: string): void => { seen.set(what, (seen.get(what) ?? new Set()).add(certificate)); };
    const lookers: readonly (readonly [string, () => Promise<string>])[] = [
      ['API of c1', async () => await shownAt(hostAddress, first?.apiPort ?? 0)], ['metrics of c2', async () => await shownAt(hostAddress, second?.metricsPort ?? 0)],
      ['join listener of c2', async () => await shownAt(hostAddress, second?.joinPort ?? 0)], ['etcd', async () => await shownAt('127.0.0.1', etcdPort)],
      ['NATS', async () => await shownAt(hostAddress, natsPort, true)], ['registry', async () => await shownAt(hostAddress, registryPort)],
      ...FOLDERS.map(folder => [`file of ${folder}`, () => Promise.resolve(String(readCertificate(read(pki(`${folder}/certificate.pem`))).notAfterMs))] as const),
      ...['n1', 'n2'].map(node => [node, () => Promise.resolve(String(readCertificate(read(nodeFile(node, 'certificate.pem'))).notAfterMs))] as const),
    ];
    await eventually('three more certificates of each', 12 * LIFE_MS, async () => {
      // A registry that starts again refuses connections for a second.
      for (const [what, look] of lookers) await look().then(certificate => { see(what, certificate); }, () => undefined);
      return lookers.every(([what]) => (seen.get(what)?.size ?? 0) > LIVES);
    });
    const off = readCertificate(read(nodeFile('n3', 'certificate.pem'))).notAfterMs;
    t.true(Date.now() > off, 'n3 was off for longer than its certificate');
    const logFrom = logSize(cluster, 'n3');
    await cluster.ctl('dev', 'start', 'n3', '--name', cluster.name);
    await eventually('n3 back', 60_000, () => logLines(cluster, 'n3', logFrom).some(line => line['msg'] === 'registered'));
    t.true(logLines(cluster, 'n3', logFrom).some(line => line['msg'] === 'certificate renewed after its end'));
    // With the contexts file, whose certificate the supervisor renews; the scheduler, etcd and the registry answer.
    await cluster.ctl('scale', 'lasting/main=3', '--wait');
    const after = await running(cluster.client(), 'lasting', 3);
    t.deepEqual(before.filter(identity => !after.map(view => identityOf(pidOf(view))).includes(identity)), [], 'no task was replaced');
    t.deepEqual(readdirSync(pki('nats')).sort(), ['ca.pem', 'certificate.pem', 'key.pem']);
  } finally {
    client.close();
    for (const controller of byHand) await controller.giveBack();
  }
});
