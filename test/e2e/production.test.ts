import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { readCertificate } from '#identity/certificate-rules.ts';
import { requireCommand } from '#kit/command-process.ts';
import { cgroupMounts } from '../../cli/dev/cgroup-fs.ts';
import { eventually } from '../support/dev-cluster.ts';
import { HandMadeCluster } from '../support/hand-made-cluster.ts';
import { environmentOf, optionsOf, shippedFile } from '../support/shipped-unit.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const LIMIT_MS = 60_000;
const IDS = ['c1', 'c2', 'c3'] as const;

let machines: HandMadeCluster;
let directory = '';
let registry: Awaited<ReturnType<HandMadeCluster['startRegistry']>>;

test.before(async () => {
  machines = await HandMadeCluster.create(2);
  directory = path.join(machines.layout.stateDir, 'etc-gantry');
  registry = await machines.startRegistry();
});

test.after.always(async t => {
  t.deepEqual(await machines.remove(), []);
});

test.serial('init makes every key; three members of etcd and three controllers start with the shipped files (root)', async t => {
  const said = await machines.run(['clusterctl', 'init', '--config-dir', directory, '--name', 'prod', '--address', controllers().join(',')]);
  t.is(said.exitCode, 0, said.stderr);
  t.regex(said.stdout + said.stderr, /start a controller with: gantry-controller --id c1 /);
  t.is((await machines.run(['clusterctl', 'init', '--config-dir', directory])).exitCode, 1, 'a second init would lock out the first cluster');
  const roleOf = (folder: string): string | undefined => readCertificate(readFileSync(path.join(directory, folder, 'certificate.pem'), 'utf8')).peer?.role;
  t.deepEqual(['etcd', 'etcd-client', 'nats', 'operator', 'prometheus'].map(roleOf), ['server', 'controller', 'server', 'operator', 'monitor'], 'NATS is no controller');
  IDS.forEach((id, index) => { startEtcd(id, index); });
  writeFileSync(path.join(directory, 'nats.conf'), shippedFile('nats.conf', changes(0)));
  machines.start('nats', ['nats-server', '-c', path.join(directory, 'nats.conf')]);
  IDS.forEach((id, index) => { startController(id, index); });
  await eventually('an answer of the controllers', LIMIT_MS, async () => (await clusterctl('node', 'ls')).exitCode === 0).catch((error: unknown) => { throw new Error(machines.logs(), { cause: error }); });
  t.pass();
});

test.serial('machines join with a token each, which is good once (root)', async t => {
  const token = (await machines.must(['clusterctl', 'token', 'create', '-q'])).trim();
  const said = await join('n1', token);
  t.is(said.exitCode, 0, said.stderr);
  t.regex(said.stdout + said.stderr, /start it with: gantry-agent --node n1 --controllers \S+/);
  t.not((await join('n2', token)).exitCode, 0, 'a token is good once');
  t.is((await join('n2', (await machines.must(['clusterctl', 'token', 'create', '-q'])).trim())).exitCode, 0);
  startAgent('n1', 0);
  startAgent('n2', 1);
  await eventually('two nodes', LIMIT_MS, async () => (await nodes()).filter(node => node['state'] === 'ready').length === 2).catch((error: unknown) => { throw new Error(machines.logs(), { cause: error }); });
  t.pass();
});

test.serial("a node's certificate opens nothing of etcd (root)", async t => {
  const pki = path.join(configDir('n1'), 'identity');
  const withKeys = (keys: string): readonly string[] => ['etcdctl', '--endpoints', `https://${machines.layout.hostAddress}:${String(etcdPort(0))}`, '--cacert', `${directory}/etcd/ca.pem`,
    '--cert', `${keys}/certificate.pem`, '--key', `${keys}/key.pem`, '--command-timeout=3s', 'get', '--prefix', '--keys-only', '--limit=1', ''];
  t.is((await machines.run(withKeys(path.join(directory, 'etcd-client')))).exitCode, 0);
  t.not((await machines.run(withKeys(pki))).exitCode, 0);
});

test.serial('hello runs by digest on both nodes; with a controller and a member of etcd dead the cluster goes on (root)', async t => {
  const file = path.join(machines.home, 'hello.yaml');
  writeFileSync(file, `
apiVersion: gantry/v1
kind: App
metadata: { name: hello }
services:
  web:
    image: ${registry.address}/hello@${registry.digest}
    init: true
    replicas: 4
    ports: ["18095:80"]
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 32Mi } }
`);
  await machines.must(['clusterctl', 'apply', '-f', file, '--wait']);
  t.deepEqual([...new Set((await tasks()).map(task => task['node']))].sort(), ['n1', 'n2']);
  await eventually('an answer', LIMIT_MS, async () => (await machines.run(['curl', '-s', '-m', '2', `http://${address('n1')}:18095/`])).stdout.startsWith('hello from'));
  await machines.stop('c1');
  await machines.stop('etcd-c1');
  await eventually('scaled by those that are left', LIMIT_MS, async () => (await clusterctl('scale', 'hello/web=6', '--wait')).exitCode === 0);
  t.is((await tasks()).length, 6);
  startEtcd('c1', 0);
  startController('c1', 0);
});

test.serial('an upgrade of the agent leaves every container running (root)', async t => {
  const before = (await tasks()).map(task => String(task['pid'])).sort();
  await machines.stop('n1', 'SIGTERM');
  startAgent('n1', 0);
  await eventually('n1 with an agent anew', LIMIT_MS, async () => (await nodes()).every(node => node['state'] === 'ready'));
  t.deepEqual((await tasks()).map(task => String(task['pid'])).sort(), before);
});

test.serial('a backup of etcd is one command (root)', async t => {
  const pki = path.join(directory, 'etcd-client');
  const file = path.join(machines.home, 'backup.db');
  await machines.must(['etcdctl', '--endpoints', `https://${machines.layout.hostAddress}:${String(etcdPort(1))}`, '--cacert', `${pki}/ca.pem`, '--cert', `${pki}/certificate.pem`, '--key', `${pki}/key.pem`,
    'snapshot', 'save', file]);
  t.true(existsSync(file));
});

test.serial('a node that is drained, removed and left carries nothing of Gantry (root)', async t => {
  await machines.must(['clusterctl', 'node', 'drain', 'n1', '-y']);
  t.true((await tasks()).every(task => task['node'] === 'n2'));
  await machines.stop('n1', 'SIGTERM');
  await eventually('n1 removed', LIMIT_MS, async () => (await clusterctl('node', 'rm', 'n1', '-y')).exitCode === 0);
  t.deepEqual((await nodes()).map(node => node['name']), ['n2']);
  await machines.must([path.join(ROOT, 'deploy/bin/gantry-agent'), 'leave', ...agentArgs('n1', 0)], 'n1');
  t.deepEqual(await leftOn('n1', 0), []);
});

test('the units are what systemd takes', async t => {
  const copies = mkdtempSync(path.join(tmpdir(), 'gantry-units-'));
  for (const unit of readdirSync(`${ROOT}/deploy/systemd`).filter(name => /\.(?:service|path)$/.test(name))) {
    writeFileSync(path.join(copies, unit), shippedFile(unit, { '/opt/gantry': ROOT }));
  }
  t.is(await requireCommand('systemd-analyze', ['verify', ...readdirSync(copies).map(unit => path.join(copies, unit))]), '');
  t.regex(readFileSync(path.join(copies, 'gantry-agent.service'), 'utf8'), /^KillMode=process$/m);
  rmSync(copies, { recursive: true });
});

function controllers(): readonly string[] {
  return machines.layout.controllers.map(({ apiPort }) => `${machines.layout.hostAddress}:${String(apiPort)}`);
}

function etcdPort(index: number): number {
  return machines.extraPorts[index * 2] ?? 0;
}

function etcdPeerPort(index: number): number {
  return machines.extraPorts[index * 2 + 1] ?? 0;
}

/** What the shipped files say of one machine, in this test's words. */
function changes(index: number): Readonly<Record<string, string>> {
  const { hostAddress, controllers: all, natsPort } = machines.layout;
  const ports = all[index];
  const at = (port: number | undefined): string => `${hostAddress}:${String(port)}`;
  return {
    'c1=https://10.0.0.1:7411': IDS.map((id, member) => `${id}=https://${at(etcdPeerPort(member))}`).join(','),
    '--etcd https://10.0.0.1:7410': `--etcd ${IDS.map((_, member) => `https://${at(etcdPort(member))}`).join(',')}`,
    '10.0.0.1:7400': at(ports?.apiPort), '10.0.0.1:7401': at(ports?.metricsPort), '10.0.0.1:7403': at(ports?.joinPort),
    '10.0.0.1:7410': at(etcdPort(index)), '10.0.0.1:7411': at(etcdPeerPort(index)), '10.0.0.1:7412': at(natsPort),
    '/etc/gantry': directory, '--id c1': `--id ${IDS[index] ?? ''}`, 'ETCD_NAME=c1': `ETCD_NAME=${IDS[index] ?? ''}`,
    '/var/lib/gantry-etcd': `${machines.layout.stateDir}/etcd-${String(index)}`,
  };
}

function startEtcd(id: string, index: number): void {
  // The path among its arguments is what `dev down` knows it by, should this test die.
  machines.start(`etcd-${id}`, ['etcd', '--log-outputs', machines.logFile(`etcd-${id}`)], { environment: environmentOf(shippedFile('etcd.env', changes(index))) });
}

function startController(id: string, index: number): void {
  machines.start(id, ['gantry-controller', ...optionsOf(shippedFile('controller.env', changes(index))), '--times', 'test', '--registry-ca', registry.caFile]);
}

function configDir(node: string): string {
  return `${machines.layout.stateDir}/${node}/etc-gantry`;
}

function address(node: string): string {
  return machines.layout.nodes.find(({ name }) => name === node)?.address ?? '';
}

/** The shipped options, and what keeps two nodes of one machine apart. */
function agentArgs(node: string, index: number): readonly string[] {
  const { layout } = machines;
  const place = layout.nodes[index];
  return [
    ...optionsOf(shippedFile('agent.env', { ...changes(0), '--node n1': `--node ${node}` })), '--config-dir', configDir(node), '--state-dir', `${layout.stateDir}/${node}/state`,
    '--run-dir', `${layout.runDir}/${node}`, '--scope', place?.scope ?? '', '--underlay-address', place?.address ?? '', '--userns-base', String(place?.usernsBase),
    '--capacity', 'cpu=4,memory=4Gi', '--pool', '4', '--registry-ca', registry.caFile,
  ];
}

function startAgent(node: string, index: number): void {
  machines.start(node, ['gantry-agent', ...agentArgs(node, index)], { node });
}

async function join(node: string, token: string): Promise<Awaited<ReturnType<HandMadeCluster['run']>>> {
  const [first] = machines.layout.controllers;
  mkdirSync(`${machines.layout.stateDir}/${node}`, { recursive: true, mode: 0o711 });
  return await machines.run(['clusterctl', 'join', `${machines.layout.hostAddress}:${String(first?.joinPort)}`, '--token', token, '--node', node, '--config-dir', configDir(node), '--state-dir', `${machines.layout.stateDir}/${node}/state`], node);
}

async function clusterctl(...args: readonly string[]): Promise<Awaited<ReturnType<HandMadeCluster['run']>>> {
  return await machines.run(['clusterctl', ...args]);
}

async function items(...args: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return (JSON.parse(await machines.must(['clusterctl', ...args, '-o', 'json'])) as { readonly items: readonly Readonly<Record<string, unknown>>[] }).items;
}

async function nodes(): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return await items('node', 'ls');
}

async function tasks(): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return await items('ps');
}

/** Files, links, tables, control groups and processes of Gantry on a machine; one line each. */
async function leftOn(node: string, index: number): Promise<readonly string[]> {
  const { layout } = machines;
  const scope = layout.nodes[index]?.scope ?? '';
  const links = (await machines.must(['ip', '-br', 'link'], node)).split('\n').filter(line => line.startsWith(scope));
  const tables = (await machines.must(['nft', 'list', 'tables'], node)).split('\n').filter(line => line.includes('gantry'));
  const groups = (await cgroupMounts()).map(mount => `${mount}/${scope}`).filter(existsSync);
  const mounts = (await machines.must(['cat', '/proc/self/mountinfo'], node)).split('\n').filter(line => line.includes(`${layout.stateDir}/${node}/`) || line.includes(`${layout.runDir}/${node}/`));
  const processes = readdirSync('/proc').filter(entry => /^\d+$/.test(entry)).map(commandOf).filter(line => line.includes(`${layout.runDir}/${node}/`));
  const files = [`${layout.stateDir}/${node}/state`, `${layout.runDir}/${node}`, configDir(node)].filter(existsSync);
  return [...links, ...tables, ...groups, ...mounts, ...processes, ...files];
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    // The process ended while we looked.
    return '';
  }
}
