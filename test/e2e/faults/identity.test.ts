/** Rows I: who may be which node (needs root). */
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { createSigningRequest, issueCertificate } from '#identity/certificate-authority.ts';
import { CLOCK_SKEW_MS, isExpired, readCertificate } from '#identity/certificate-rules.ts';
import { formatJoinToken, parseJoinToken } from '#identity/join-token-parse.ts';
import { runCommand } from '#kit/command-process.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import type { ControlClient } from '#model/ports.ts';
import { connectAgent, joinCluster } from '#rpc/agent-client.ts';
import { createControlClient } from '#rpc/control-client.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { writeIdentity } from '../../../agent/identity-fs.ts';
import { loadContexts, saveContexts } from '../../../cli/context-fs.ts';
import { DevCluster, eventually } from '../../support/dev-cluster.ts';
import { agentCommand, HandRun, identityOf, logLines, logSize, monitorsBelow, oneService, pidOf, running, withOptions } from '../../support/node-faults.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');

let cluster: DevCluster;
let client: ControlClient;
/** n3, from the test that gives it back on. */
let joinedByHand: HandRun | undefined;
/** How the supervisor started the agent of n3. */
let startOfN3: readonly string[];

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 3, controllers: 2 });
  client = cluster.client();
});

test.after.always('nothing is left', async t => {
  client.close();
  await joinedByHand?.kill();
  t.deepEqual(await cluster.down(), []);
});

const api = (): string => `${cluster.layout.hostAddress}:${String(cluster.layout.controllers[0]?.apiPort ?? 0)}`;
const joinAt = (controller: number): string => `${cluster.layout.hostAddress}:${String(cluster.layout.controllers[controller]?.joinPort ?? 0)}`;
const configOf = (node: string): string => `${cluster.layout.stateDir}/${node}/config`;
const dev = async (verb: 'kill' | 'start' | 'cut' | 'heal', name: string): Promise<void> => { await cluster.ctl('dev', verb, name, '--name', cluster.name); };
const onNode = (name: string, node: string, replicas = 1): string => oneService({ name, replicas, more: [`placement: { require: ["node == ${node}"] }`] });
const code = async (call: Promise<unknown>): Promise<string> => await call.then(() => 'fine', (error: unknown) => (error instanceof ClusterError ? error.code : String(error)));

function identityOfNode(node: string): TlsIdentity {
  const pem = (file: string): string => readFileSync(`${configOf(node)}/identity/${file}`, 'utf8');
  return { caPem: pem('ca.pem'), pair: { certificatePem: pem('certificate.pem'), keyPem: pem('key.pem') } };
}

/** By default at the controller whose patience I-2 does not try. */
async function join(token: string, nodeName: string, controller = 1): Promise<{ readonly certificatePem: string; readonly caPem: string; readonly keyPem: string }> {
  const { csrPem, keyPem } = await createSigningRequest();
  return { ...await joinCluster({ address: joinAt(controller), token, caSha256: parseJoinToken(token).caSha256, nodeName, csrPem }), keyPem };
}

/** What `clusterctl join` does on a machine. The agent takes the new identity at its next start. */
async function joinAgain(node: string, given?: string): Promise<void> {
  const token = given ?? (await client.createToken({ ttlMs: 60_000, role: 'node' })).token;
  const issued = await join(token, node);
  await dev('kill', node);
  writeFileSync(`${configOf(node)}/ca.pem`, issued.caPem);
  writeFileSync(`${configOf(node)}/key.pem`, issued.keyPem);
  writeFileSync(`${configOf(node)}/certificate.pem`, issued.certificatePem);
  await dev('start', node);
}

/** Gives the node a certificate of the life that controllers give now. */
async function renewNow(node: string): Promise<void> {
  const connection = connectAgent(api(), identityOfNode(node));
  const { csrPem, keyPem } = await createSigningRequest();
  const issued = await connection.renew(csrPem).finally(() => { connection.close(); });
  await dev('kill', node);
  await writeIdentity(configOf(node), { ...issued, keyPem });
  await dev('start', node);
}

async function condition(node: string): Promise<string | undefined> {
  return (await client.view({})).nodes.find(one => one.node.id === node)?.node.condition;
}

test.serial('I-1: a copy of a node is refused while the node is heard, and later by its nonce; it starts nothing and ends no session', async t => {
  await cluster.apply(onNode('original', 'n1', 2));
  const before = await running(client, 'original', 2);
  const identities = before.map(view => identityOf(pidOf(view)));
  // The copy runs where n3 was: another machine with the disk of n1.
  const command = agentCommand(cluster, 'n3');
  startOfN3 = [command.agent, ...command.args];
  await dev('kill', 'n3');
  const left = await runCommand(command.program, [...command.inside, command.agent, 'leave', ...command.args]);
  t.is(left.exitCode, 0, left.stderr);
  const copy = mkdtempSync(`${cluster.layout.stateDir}/copy-`);
  chmodSync(copy, 0o711);
  cpSync(configOf('n1'), `${copy}/config`, { recursive: true, verbatimSymlinks: true });
  cpSync(`${cluster.layout.stateDir}/n1/state/tasks`, `${copy}/state/tasks`, { recursive: true });
  cpSync(`${cluster.layout.stateDir}/n1/state/assignment`, `${copy}/state/assignment`, { recursive: true });
  cpSync(`${cluster.layout.stateDir}/n1/state/node.json`, `${copy}/state/node.json`);
  // Since the copy was made the original registered again: what the copy knows is old.
  const logFrom = logSize(cluster, 'n1');
  cluster.kill('n1');
  await eventually('n1 registered again', 60_000, () => logLines(cluster, 'n1', logFrom).some(line => line['msg'] === 'registered'));
  const logFile = `${copy}/log`;
  const clone = new HandRun(cluster, 'n3', { argv: [command.agent, ...command.args, '--node', 'n1', '--config-dir', `${copy}/config`, '--state-dir', `${copy}/state`], environment: {} }, logFile);
  const says = (what: string): number => readFileSync(logFile, 'utf8').split(what).length - 1;
  const ended = (): number => logLines(cluster, 'n1').filter(line => line['msg'] === 'session ended').length;
  try {
    const endedBefore = ended();
    await eventually('the copy refused four times', 60_000, () => says('has a session already') >= 4);
    t.is(ended(), endedBefore);
    t.is(says('"registered"'), 0);

    await dev('kill', 'n1');
    await eventually('the copy refused for its nonce', 60_000, () => says('state is older than') >= 2);
    t.is(says('"registered"'), 0);
    t.deepEqual(monitorsBelow(`${cluster.layout.runDir}/n3`), []);
    await dev('start', 'n1');
    const after = await running(client, 'original', 2);
    t.deepEqual(after.map(view => [view.status?.restarts, identityOf(pidOf(view))]), identities.map(identity => [0, identity]));
    t.deepEqual(monitorsBelow(`${cluster.layout.runDir}/n3`), []);
  } finally {
    await clone.kill();
    rmSync(copy, { recursive: true });
    await dev('start', 'n1');
    await cluster.ctl('delete', 'app/original', '-y');
  }
});

test.serial('an agent that is given a token and join listeners alone joins, and opens its session at the controllers that the join named', async t => {
  const { token } = await client.createToken({ ttlMs: 60_000, role: 'node' });
  const argv = [...startOfN3.with(startOfN3.indexOf('--controllers') + 1, `${joinAt(0)},${joinAt(1)}`), '--join', token];
  await cluster.ctl('node', 'rm', 'n3', '-y');
  joinedByHand = new HandRun(cluster, 'n3', { argv, environment: {} });
  await eventually('n3 ready', 60_000, async () => await condition('n3') === 'ready');
  t.deepEqual(JSON.parse(readFileSync(`${configOf('n3')}/joined.json`, 'utf8')), { controllers: cluster.layout.controllers.map(({ apiPort }) => `${cluster.layout.hostAddress}:${String(apiPort)}`), joinAddress: joinAt(0) });
});

test.serial('I-2: a join token that was used, is over or is wrong gives no certificate; after 5 tries a minute the peer waits, others do not', async t => {
  const { token } = await client.createToken({ ttlMs: 60_000, role: 'node' });
  const { caSha256 } = parseJoinToken(token);
  t.truthy((await join(token, 'n9', 0)).certificatePem);
  const over = await client.createToken({ ttlMs: 1, role: 'node' });
  const wrong = formatJoinToken(new Uint8Array(32).fill(7), caSha256);
  const answers = [await t.throwsAsync(join(token, 'n9', 0)), await t.throwsAsync(join(over.token, 'n9', 0)), await t.throwsAsync(join(wrong, 'n9', 0))];
  t.deepEqual(answers.map(error => Reflect.get(error, 'code') as string), ['UNAUTHENTICATED', 'UNAUTHENTICATED', 'UNAUTHENTICATED']);
  t.is(answers[1]?.message, answers[2]?.message);
  await t.throwsAsync(join(wrong, 'n9', 0), { code: 'UNAUTHENTICATED' });
  await t.throwsAsync(join(wrong, 'n9', 0), { code: 'UNAUTHENTICATED' });
  const good = await client.createToken({ ttlMs: 60_000, role: 'node' });
  const sixth = await t.throwsAsync(join(good.token, 'n9', 0), { code: 'RESOURCE_EXHAUSTED' });
  t.regex(sixth.message, /try again in \d+ s/);
  const script = `
    const { joinCluster } = await import('${ROOT}/proto/rpc/agent-client.ts');
    const { createSigningRequest } = await import('${ROOT}/proto/identity/certificate-authority.ts');
    const { csrPem } = await createSigningRequest();
    const issued = await joinCluster({ address: '${joinAt(0)}', token: '${good.token}', caSha256: '${caSha256}', nodeName: 'n9', csrPem });
    console.log(issued.certificatePem.includes('BEGIN CERTIFICATE'));`;
  const other = await cluster.onNode('n2', `${ROOT}/deploy/bin/node`, '--input-type=module', '-e', script);
  t.is(other.stdout.trim(), 'true', other.stderr);
});

test.serial('I-3: a node removed while it is connected is cut off at once; its certificate opens nothing any more; it can join again', async t => {
  const old = identityOfNode('n2');
  const logFrom = logSize(cluster, 'n2');
  await cluster.ctl('node', 'rm', 'n2', '-y');
  await eventually('n2 refused', 60_000, () => logLines(cluster, 'n2', logFrom).some(line => line['code'] === 'FAILED_PRECONDITION'));
  t.is(await condition('n2'), undefined);
  const connection = connectAgent(api(), old);
  try {
    const { csrPem } = await createSigningRequest();
    t.is(await code(connection.renew(csrPem)), 'FAILED_PRECONDITION');
    const session = connection.session();
    session.send(registrationOf('n2'));
    const [answer] = await allOf(session.receive());
    t.like(answer, { kind: 'refused', code: 'FAILED_PRECONDITION' });
  } finally {
    connection.close();
  }
  await joinAgain('n2');
  await eventually('n2 ready again', 60_000, async () => await condition('n2') === 'ready');
});

test.serial('I-3: a node removed while it is cut off is refused when it comes back, and stops what it runs', async t => {
  await cluster.apply(onNode('orphan', 'n2', 2));
  const tasks = await running(client, 'orphan', 2);
  const pids = tasks.map(pidOf);
  await dev('cut', 'n2');
  await eventually('n2 away', 60_000, async () => await condition('n2') !== 'ready');
  // Another node may be away too: then the breaker is open, and only an operator's word makes it lost.
  await cluster.ctl('node', 'confirm-lost', 'n2', '-y');
  await eventually('n2 lost', 60_000, async () => await condition('n2') === 'lost');
  await cluster.ctl('node', 'rm', 'n2', '-y');
  t.true(pids.every(pid => identityOf(pid) !== ''));
  const logFrom = logSize(cluster, 'n2');
  await dev('heal', 'n2');
  await eventually('its containers stopped', 60_000, () => pids.every(pid => identityOf(pid) === ''));
  const refusal = logLines(cluster, 'n2', logFrom).find(line => line['code'] === 'FAILED_PRECONDITION');
  t.regex(String(refusal?.['reason']), /node n2 was removed from the cluster; to have it back, join it again/);
  await cluster.ctl('delete', 'app/orphan', '-y');
  await joinAgain('n2');
  await eventually('n2 ready again', 60_000, async () => await condition('n2') === 'ready');
});

test.serial('I-7: a join token never takes over an existing node; node replace fences the old machine first, then lets the new one in', async t => {
  await cluster.apply(onNode('victim', 'n2'));
  const [task] = await running(client, 'victim');
  const pid = pidOf(task);
  const identity = identityOf(pid);
  const old = identityOfNode('n2');
  await cluster.ctl('node', 'label', 'n2', 'disk=ssd');
  const logFrom = logSize(cluster, 'n2');
  const { token } = await client.createToken({ ttlMs: 60_000, role: 'node' });
  const attack = await t.throwsAsync(join(token, 'n2'), { instanceOf: ClusterError });
  t.is(attack.code, 'ALREADY_EXISTS');
  t.regex(attack.message, /^node n2 exists already; .*--node.*clusterctl node replace n2.*clusterctl node rm n2/);
  t.truthy((await join(token, 'n8')).certificatePem, 'the attempt has not used the token');
  const careful = await cluster.tryCtl('node', 'replace', 'n2');
  t.not(careful.exitCode, 0);
  t.regex(careful.stderr, /node n2 still has 1 task; .*clusterctl node replace n2 --force/);
  t.deepEqual(logLines(cluster, 'n2', logFrom).filter(line => line['msg'] === 'session ended'), []);
  t.is(identityOf(pid), identity);

  const bound = (await cluster.ctl('node', 'replace', 'n2', '--force', '--confirm-lost', '-q')).trim();
  await eventually('the old containers stopped', 60_000, () => identityOf(pid) === '');
  const connection = connectAgent(api(), old);
  try {
    const { csrPem } = await createSigningRequest();
    t.is(await code(connection.renew(csrPem)), 'FAILED_PRECONDITION');
    t.is(await code(connection.pullLogin({ namespace: 'default', registry: 'r' })), 'FAILED_PRECONDITION');
  } finally {
    connection.close();
  }
  t.like(await t.throwsAsync(join(bound, 'n7')), { code: 'FAILED_PRECONDITION' });
  await joinAgain('n2', bound);
  await eventually('n2 ready again', 60_000, async () => await condition('n2') === 'ready');
  const view = (await client.view({})).nodes.find(one => one.node.id === 'n2');
  t.is(view?.node.labels.get('disk'), 'ssd', 'the new machine inherits what the operator chose for the node');
  await running(client, 'victim');
  await cluster.ctl('delete', 'app/victim', '-y');
});

test.serial('I-6: the certificate of a node is good for that node and for nothing else, and each try is audited', async t => {
  const logFrom = logSize(cluster, 'c1');
  const identity = identityOfNode('n1');
  const operator = createControlClient({ controllers: [api()], identity });
  const connection = connectAgent(api(), identity);
  try {
    t.is(await code(operator.view({})), 'PERMISSION_DENIED');
    t.is(await code(operator.createToken({ ttlMs: 60_000, role: 'node' })), 'PERMISSION_DENIED');
    const session = connection.session();
    session.send(registrationOf('n2'));
    t.is(await code(allOf(session.receive())), 'PERMISSION_DENIED');
  } finally {
    operator.close();
    connection.close();
  }
  t.is(await condition('n2'), 'ready');
  const audited = (): readonly unknown[] => auditOf(logFrom).filter(line => line['caller'] === 'node n1' && line['outcome'] === 'PERMISSION_DENIED').map(line => line['rpc']);
  await eventually('a line of each', 60_000, () => audited().length >= 3);
  t.deepEqual(audited(), ['ControlApi.View', 'ControlApi.CreateToken', 'AgentApi.Session']);
});

const auditOf = (logFrom: number, controller = 'c1'): ReturnType<typeof logLines> => logLines(cluster, controller, logFrom).filter(line => line['name'] === 'gantry-audit');

test.serial('I-6: every write and every way into a task is audited: who, what, on what, with which outcome; no value is told', async t => {
  const logsFrom = (['c1', 'c2'] as const).map(name => [name, logSize(cluster, name)] as const);
  const secret = 'hunter2hunter2';
  await cluster.apply(oneService({ name: 'watched' }));
  await running(client, 'watched');
  await cluster.ctl('exec', 'watched/main', '--', 'echo', secret);
  await cluster.tryCtl('scale', 'watched/nothing=2');
  await cluster.ctl('delete', 'app/watched', '-y');
  // A client may talk to either, and to another one after a failure.
  const told = (): readonly Readonly<Record<string, unknown>>[] => logsFrom.flatMap(([name, from]) => auditOf(from, name)).filter(line => String(line['caller']).startsWith('operator '));
  const done = (): readonly string[] => told().filter(line => line['outcome'] === 'done').map(line => String(line['rpc'])).sort();
  await eventually('all lines', 60_000, () => done().length >= 3);
  const lines = told();
  t.deepEqual(done(), ['ControlApi.Apply', 'ControlApi.DeleteApp', 'ControlApi.OpenTunnel']);
  t.like(lines.find(line => line['rpc'] === 'ControlApi.OpenTunnel'), { details: { kind: 'exec', program: 'echo', argumentCount: 1 } });
  t.true(lines.every(line => typeof line['etcdRevision'] === 'number' && line['address'] !== ''));
  t.notRegex(JSON.stringify(lines), new RegExp(secret));
});

test.serial('an operator is warned before its certificate ends and renews it with the certificate alone, in a file or in the contexts file', async t => {
  const pki = `${cluster.layout.stateDir}/pki`;
  const authority = { certificatePem: readFileSync(`${pki}/ca.pem`, 'utf8'), keyPem: readFileSync(`${pki}/ca-key.pem`, 'utf8') };
  const [lifeMs, logFrom] = [900_000, logSize(cluster, 'c1')];
  const old = await issueCertificate(authority, { role: 'operator', name: 'ann', dnsNames: [], ipAddresses: [] }, { nowMs: Date.now() - 650_000, ttlMs: lifeMs });
  const home = mkdtempSync(path.join(cluster.home, 'home-'));
  const [contexts, file] = [path.join(home, '.config/gantry/config.yaml'), path.join(home, 'certificate.pem')];
  writeFileSync(file, old.certificatePem, { mode: 0o600 });
  const inline = (pem: string) => ({ kind: 'inline', pem } as const);
  const context = { controllers: [api()], ca: inline(authority.certificatePem), certificate: inline(old.certificatePem), key: inline(old.keyPem) };
  await saveContexts(contexts, { current: 'inline', contexts: [{ ...context, name: 'inline' }, { ...context, name: 'file', certificate: { kind: 'file', path: file } }] });
  const ctl = async (...args: readonly string[]): ReturnType<typeof runCommand> => await runCommand(path.join(ROOT, 'deploy/bin/clusterctl'), args, { environment: { HOME: home, NO_COLOR: '1' } });
  for (const name of ['inline', 'file']) {
    t.regex((await ctl('node', 'ls', '--context', name)).stderr, new RegExp(`^warning: the certificate of context '${name}' ends at .*; renew it with: clusterctl context renew ${name}\n$`));
    const renewed = await ctl('context', 'renew', name, '-o', 'json');
    t.is(renewed.exitCode, 0, renewed.stderr);
    t.like(await ctl('node', 'ls', '--context', name), { exitCode: 0, stderr: '' });
    const held = name === 'file' ? readFileSync(file, 'utf8') : (await loadContexts(contexts)).contexts.flatMap(one => (one.certificate.kind === 'inline' ? one.certificate.pem : [])).join('');
    const { peer, notBeforeMs, notAfterMs } = readCertificate(held);
    t.deepEqual(peer, { role: 'operator', name: 'ann' });
    t.is(notAfterMs - notBeforeMs - CLOCK_SKEW_MS, lifeMs);
    t.is((JSON.parse(renewed.stdout) as { readonly notAfter: string }).notAfter, new Date(notAfterMs).toISOString());
  }
  t.deepEqual(auditOf(logFrom).filter(line => line['rpc'] === 'ControlApi.RenewCertificate').map(line => [line['caller'], line['outcome']]), [['operator ann', 'done'], ['operator ann', 'done']]);
});

async function allOf<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) {
    all.push(item);
  }
  return all;
}

function registrationOf(node: string): Parameters<ReturnType<ReturnType<typeof connectAgent>['session']>['send']>[0] {
  return {
    kind: 'register', node: parseNodeId(node), agentVersion: '0.1.0', bootId: 'b', address: '10.0.0.1', capacity: { milliCpu: 1, memoryBytes: 1 }, pids: 1,
    labels: new Map(), policy: CLOSED_NODE_POLICY, runtimes: [], architecture: 'amd64', metricsAddress: '', snapshotter: 'overlay', hasDeadman: true, networkFault: '', listeningPorts: [], capabilities: [], cpus: '0-3', takesEndpointChanges: true, statuses: [], previousNonce: '', nextNonce: 'x', knownRevision: 0, clusterId: '',
  };
}

test.serial('I-4: certificates that live 12 s are renewed again and again; a node that was off for longer than its certificate returns without help; nothing is restarted', async t => {
  await cluster.apply(onNode('renewed', 'n1'));
  const [before] = await running(client, 'renewed');
  const identity = identityOf(pidOf(before));
  const controllers = [await withOptions(cluster, 'c1', '--certificate-life', '12s'), await withOptions(cluster, 'c2', '--certificate-life', '12s')];
  try {
    await eventually('both controllers', 60_000, async () => (await client.clusterStatus()).controllers.length === 2);
    const logFrom = logSize(cluster, 'n1');
    // Their records may be there before their listeners are.
    await eventually('a controller that renews', 60_000, async () => { await renewNow('n1'); return true; });
    await eventually('two renewals', 60_000, () => logLines(cluster, 'n1', logFrom).filter(line => line['msg'] === 'certificate renewed').length >= 2);
    const restartFrom = logSize(cluster, 'n1');
    cluster.kill('n1');
    await eventually('registered with the renewed one', 60_000, () => logLines(cluster, 'n1', restartFrom).some(line => line['msg'] === 'registered'));
    const [after] = await running(client, 'renewed');
    t.is(identityOf(pidOf(after)), identity);
    t.is(after?.status?.restarts, 0);

    await dev('kill', 'n1');
    const { pair } = identityOfNode('n1');
    await eventually('the certificate of n1 over', 60_000, () => isExpired(readCertificate(pair?.certificatePem ?? ''), Date.now()));
    const [offFrom, auditFrom] = [logSize(cluster, 'n1'), ['c1', 'c2'].map(name => [name, logSize(cluster, name)] as const)];
    await dev('start', 'n1');
    await eventually('n1 back', 60_000, () => logLines(cluster, 'n1', offFrom).some(line => line['msg'] === 'registered'));
    t.true(logLines(cluster, 'n1', offFrom).some(line => line['msg'] === 'certificate renewed after its end'));
    const audited = auditFrom.flatMap(([name, from]) => auditOf(from, name)).filter(line => line['rpc'] === 'AgentApi.RenewExpired');
    t.like(audited[0], { object: 'node/n1', outcome: 'done' });
    const [returned] = await running(client, 'renewed');
    t.deepEqual([identityOf(pidOf(returned)), returned?.status?.restarts], [identity, 0]);
  } finally {
    for (const controller of controllers) {
      await controller.giveBack();
    }
  }
});
