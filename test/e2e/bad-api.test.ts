/** Every bad call of api-cli.jsonl against a real cluster, its certificates, its clusterctl. Needs root. */
import { randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { createSigningRequest } from '#identity/certificate-authority.ts';
import { formatJoinToken, JOIN_SECRET_BYTES, parseJoinToken } from '#identity/join-token-parse.ts';
import { runCommand } from '#kit/command-process.ts';
import { ClusterError } from '#model/errors.ts';
import { parseNodeId, parseTaskId, serviceId } from '#model/ids.ts';
import type { ControlClient, ViewPage } from '#model/ports.ts';
import { connectAgent } from '#rpc/agent-client.ts';
import { createControlClient } from '#rpc/control-client.ts';
import { CONTROL } from '#rpc/control-methods.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import type { PemSource } from '../../cli/context.ts';
import { codeOf, ctlAs, ctlWith, dial, endOf, join, probeControllers, registration, sessionEnd } from '../support/api-calls.ts';
import { readBadInputs, shuffled } from '../support/bad-input.ts';
import { ClusterEye } from '../support/cluster-picture.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import { appOf } from '../support/manifest.ts';
import { oddIdentities } from '../support/odd-identities.ts';
import { writtenUnread } from '../support/process-writes.ts';
import { rawCall, rawStatus, statusOfClaim } from '../support/raw-call.ts';
import type { RawCall } from '../support/raw-call.ts';
import { seed } from '../support/seed.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const BIN = path.join(ROOT, 'deploy/bin');
const DESIRED = ['app', 'revision', 'service', 'blob', 'secret', 'task'] as const;
const WEB = serviceId('default', 'api', 'web');

let cluster: DevCluster;
let eye: ClusterEye;
let client: ControlClient;
let stalled: RawCall;
let stalledAtMs = 0;
const TURNS = Array.from({ length: 20 }, (_, index) => `turn${String(index)}`);

const address = (index: number, port: 'apiPort' | 'joinPort' = 'apiPort'): string =>
  `${cluster.layout.hostAddress}:${String(cluster.layout.controllers[index]?.[port] ?? 0)}`;
const pem = (file: string): string => readFileSync(`${cluster.layout.stateDir}/${file}`, 'utf8');
const nodeIdentity = (name: string): TlsIdentity => ({
  caPem: pem(`${name}/config/ca.pem`), pair: { certificatePem: pem(`${name}/config/certificate.pem`), keyPem: pem(`${name}/config/key.pem`) },
});

const APP = `
apiVersion: gantry/v1
kind: App
metadata: { name: api }
services:
  web: { image: "hello:1", init: true, resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 64Mi } } }
  done: { kind: job, image: "hello:1", command: ["true"], resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 64Mi } } }
`;

test.before(async t => {
  t.timeout(300_000);
  t.log(`SEED=${String(seed)}`);
  cluster = await DevCluster.up({ nodes: 2 });
  eye = new ClusterEye(cluster);
  client = cluster.client();
  await cluster.apply(APP, '--wait');
  await cluster.apply(APP.replace('name: api', 'name: hidden, namespace: other').replaceAll(/^ {2}done:.*\n/gm, ''), '--wait');
  // a019: never read from here on.
  stalled = rawCall(address(0), cluster.operatorIdentity(), 'ControlApi/Watch', CONTROL.watch.encodeRequest({}));
  stalled.stream.pause();
  for (let change = 0; change < 200; change += 1) {
    const value = String(change).padStart(1_000, '.');
    await client.setLabels({ requestId: randomUUID(), node: parseNodeId('n1'), set: new Map(TURNS.map(name => [name, value])), remove: [] });
  }
  stalledAtMs = performance.now();
});

async function webTask(): Promise<{ readonly id: string; readonly node: string }> {
  const [task] = await cluster.tasks('api/web');
  return { id: String(task?.['id']), node: String(task?.['node']) };
}

type Case = (t: ExecutionContext) => Promise<void>;

const CASES: Readonly<Record<string, Case>> = {
  async a001(t) {
    for (const index of [0, 1]) {
      const [host = '', port = ''] = address(index).split(':');
      t.regex(await dial(host, Number(port), pem('pki/ca.pem')), /certificate required/);
    }
  },

  async a003(t) {
    const odd = await oddIdentities({ certificatePem: pem('pki/ca.pem'), keyPem: pem('pki/ca-key.pem') }, Date.now());
    const told = { 'another CA': /certificate.*another certificate authority/, 'expired': /certificate has expired/, 'not yet valid': /certificate is not valid before/, 'for servers only': /certificate is not for clients/ };
    for (const [what, identity] of Object.entries(odd)) {
      t.is(await codeOf(createControlClient({ controllers: [address(0)], identity }).clusterStatus()), 'UNAVAILABLE', what);
      const run = await ctlAs(cluster, identity, 'get', 'no');
      t.is(run.exitCode, 3, what);
      t.regex(run.stderr, told[what as keyof typeof told]);
    }
    const log = pem('logs/c1.log');
    for (const reason of [/UNABLE_TO|SIGNATURE/, /CERT_HAS_EXPIRED/, /CERT_NOT_YET_VALID/, /INVALID_PURPOSE/]) {
      t.regex(log, reason);
    }
  },

  async a005(t) {
    t.regex(await sessionEnd(address(0), nodeIdentity('n1'), registration('n2')), /^PERMISSION_DENIED: .*n2.*does not match certificate \(n1\)/);
    const foreign = { id: parseTaskId('aaaaaaaaaaaa'), node: parseNodeId('n2'), attempt: 1, phase: 'running', health: 'none', reason: '', message: '', restarts: 0, isPaused: false } as const;
    t.regex(await sessionEnd(address(0), nodeIdentity('n1'), registration('n1', { statuses: [foreign] })), /^PERMISSION_DENIED: .*n2.*does not match certificate \(n1\)/);
    t.regex(await sessionEnd(address(0), cluster.operatorIdentity(), registration('n1')), /^PERMISSION_DENIED/);
    t.is(await codeOf(createControlClient({ controllers: [address(0)], identity: nodeIdentity('n1') }).view({})), 'PERMISSION_DENIED');
  },

  async a007(t) {
    const { token } = await client.createToken({ ttlMs: 60_000, role: 'node' });
    await join(address(1, 'joinPort'), token, 'first');
    const second = await t.throwsAsync(join(address(1, 'joinPort'), token, 'second'), { instanceOf: ClusterError });
    t.is(second.code, 'UNAUTHENTICATED');
    t.regex(second.message, /already used at \S+ by node first/);
  },

  async a009(t) {
    const { token } = await client.createToken({ ttlMs: 60_000, role: 'node' });
    const { caSha256 } = parseJoinToken(token);
    const guess = async (): Promise<ClusterError> => {
      const wrong = formatJoinToken(randomBytes(JOIN_SECRET_BYTES), caSha256);
      return await t.throwsAsync(join(address(0, 'joinPort'), wrong, 'guess'), { instanceOf: ClusterError });
    };
    for (let tries = 0; tries < 5; tries += 1) t.is((await guess()).code, 'UNAUTHENTICATED');
    // Together, since all 100 have to be within one minute.
    for (const { code, message } of await Promise.all(Array.from({ length: 95 }, guess))) {
      t.is(code, 'RESOURCE_EXHAUSTED');
      t.regex(message, /try again in \d+ s/);
    }
    const { stdout } = await cluster.onNode('n2', `${BIN}/node`, path.join(ROOT, 'test/support/join-process.ts'), address(0, 'joinPort'), token, 'other');
    t.is(stdout, 'joined\n', 'another peer is not slowed');
  },

  async a011(t) {
    const identity = await join(address(1, 'joinPort'), (await client.createToken({ ttlMs: 60_000, role: 'node' })).token, 'ghost');
    const connection = connectAgent(address(1), identity);
    const session = connection.session();
    session.send(registration('ghost'));
    const opened = Promise.withResolvers<undefined>();
    const ended = (async () => {
      try {
        for await (const message of session.receive()) {
          if (message.kind === 'registered') {
            opened.resolve(undefined);
          }
        }
      } catch {
        // However it ends, it is over.
      }
      return 'ended';
    })();
    await opened.promise;
    await eventually('the node in the view', 60_000, async () => (await client.view({})).nodes.some(({ node }) => node.id === 'ghost'));
    await client.setAvailability({ requestId: randomUUID(), node: parseNodeId('ghost'), availability: 'draining' });
    await eventually('the node without tasks', 60_000, async () => await codeOf(client.removeNode({ requestId: randomUUID(), node: parseNodeId('ghost') })) === 'done');
    await eventually('the end of its stream', 60_000, async () => await Promise.race([ended, Promise.resolve(false as const)]) === 'ended');
    connection.close();
    t.regex(await sessionEnd(address(0), identity, registration('ghost')), /^(?:FAILED_PRECONDITION|PERMISSION_DENIED)/);
  },

  async a013(t) {
    const { etcdPort, hostAddress } = cluster.layout;
    t.regex(await dial(hostAddress, etcdPort), /ECONNREFUSED/, 'it listens on loopback alone');
    t.regex(await dial('127.0.0.1', etcdPort, pem('pki/ca.pem')), /certificate required|bad certificate|closed/);
    const { id, node } = await webTask();
    const probe = ['nc', '-w', '2', hostAddress, String(etcdPort)];
    t.not((await cluster.tryCtl('exec', id, '--', ...probe)).exitCode, 0, 'from a container');
    t.not((await cluster.onNode(node, 'timeout', '3', 'sh', '-c', `exec 3<>/dev/tcp/${hostAddress}/${String(etcdPort)}`)).exitCode, 0, 'from a node');
  },

  async a015(t) {
    const content = new Uint8Array(4 * 1024 * 1024 + 1);
    const app = { ...appOf({ apiVersion: 'gantry/v1', kind: 'App', metadata: { name: 'big' }, services: { web: { image: 'hello:1' } } }), configs: [{ name: 'c', content }] };
    const one = createControlClient({ controllers: [address(0)], identity: cluster.operatorIdentity() });
    const refusal = await t.throwsAsync(one.apply({ requestId: randomUUID(), app, isDryRun: false }), { instanceOf: ClusterError });
    one.close();
    t.is(refusal.code, 'RESOURCE_EXHAUSTED');
    t.regex(refusal.message, /larger than max/);
    t.is(await statusOfClaim(address(0), cluster.operatorIdentity(), 'ControlApi/Apply', content.length), '8', 'by its length, before any of it is there');
  },

  async a017(t) {
    for (const bytes of [Buffer.alloc(20_000, 0x7b), Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f]), Buffer.from('f7a93c1be2', 'hex')]) {
      for (const rpc of ['ControlApi/Apply', 'ControlApi/Scale', 'ControlApi/View', 'ControlApi/PutSecret']) {
        t.is(await rawStatus(address(0), cluster.operatorIdentity(), rpc, bytes), '3', rpc);
      }
    }
  },

  async a021(t) {
    const now = (timeoutMs: number): ControlClient => createControlClient({ controllers: [address(0)], identity: cluster.operatorIdentity(), timeoutMs });
    for (const timeoutMs of [0, -1]) {
      t.is(await codeOf(now(timeoutMs).scale({ requestId: randomUUID(), service: WEB, replicas: 2 })), 'DEADLINE_EXCEEDED');
    }
    t.is(await codeOf(now(1e18).clusterStatus()), 'done', 'a deadline in centuries is the longest one there is');
    const message = CONTROL.scale.encodeRequest({ requestId: randomUUID(), service: WEB, replicas: 2 });
    for (const timeout of ['0n', '1n', '1000000000000000000m']) {
      t.is(await rawStatus(address(0), cluster.operatorIdentity(), 'ControlApi/Scale', message, { 'grpc-timeout': timeout }), '4', timeout);
    }
  },

  async a023(t) {
    const requestId = randomUUID();
    const app = appOf({ apiVersion: 'gantry/v1', kind: 'App', metadata: { name: 'twice' }, services: { web: { image: 'hello:1', replicas: 0 } } });
    const first = await client.apply({ requestId, app, isDryRun: false });
    const keys = await eye.keys(['app', 'revision', 'service']);
    t.deepEqual(await client.apply({ requestId, app, isDryRun: false }), first);
    t.deepEqual(await eye.keys(['app', 'revision', 'service']), keys);
    const both = randomUUID();
    const answers = await Promise.all([0, 1].map(async index => {
      const one = createControlClient({ controllers: [address(index)], identity: cluster.operatorIdentity() });
      const answer = await one.apply({ requestId: both, app: { ...app, services: app.services.map(service => ({ ...service, labels: [{ name: 'a', value: 'b' }] })) }, isDryRun: false });
      one.close();
      return answer;
    }));
    t.deepEqual(answers[0], answers[1], 'also through two controllers at once');
    t.is(answers[0]?.revision, 2);
    await client.deleteApp({ requestId: randomUUID(), namespace: 'default', app: 'twice', withVolumes: false });
    await eventually('the App is gone', 60_000, async () => !(await eye.keys(['app', 'service'])).some(key => key.includes('/twice')));
  },

  async a027(t) {
    const list = async (pageToken: string, app = 'api'): Promise<ViewPage> => await client.viewPage({ filter: { app }, pageSize: 1, pageToken });
    const token = (await client.viewPage({ filter: { app: 'api' }, pageSize: 1 })).nextPageToken ?? '';
    t.is((await list(token)).view.tasks.length, 1, 'there is a second page');
    for (const [text, app] of [[token, 'other'], [`${token.startsWith('A') ? 'B' : 'A'}${token.slice(1)}`, 'api'], ['', 'api'], ['x'.repeat(10_000), 'api']] as const) {
      const { code, violations } = await t.throwsAsync(list(text, app), { instanceOf: ClusterError, message: /page token is not valid any more; start again/ });
      t.deepEqual([code, violations[0]?.path], ['INVALID_ARGUMENT', 'page_token']);
    }
  },

  async a029(t) {
    const stopped = await cluster.tryCtl('exec', 'api/done', '--', 'ls');
    t.is(stopped.exitCode, 1);
    t.regex(stopped.stderr, /is not running/);
    const finished = (await client.view({ app: 'api', service: 'done' })).tasks[0]?.task.id ?? parseTaskId('aaaaaaaaaaaa');
    const ends = await endOf(client, finished);
    t.regex(ends, /^FAILED_PRECONDITION.*not running \(exited 0 at /);
    t.regex(await endOf(client, parseTaskId('zzzzzzzzzzzz')), /^NOT_FOUND/);
    const hidden = (await client.view({ namespace: 'other' })).tasks[0]?.task.id ?? '';
    for (const [there, absent] of [['hidden/web', 'nowhere/web'], [hidden, 'zzzzzzzzzzzz']] as const) {
      const [one, other] = await Promise.all([there, absent].map(async name => await cluster.tryCtl('exec', name, '-n', 'default', '--', 'ls')));
      t.is(one?.exitCode, 1);
      t.is(one?.stderr.replaceAll(there, 'X'), other?.stderr.replaceAll(absent, 'X'), 'the same answer as for one that does not exist');
    }
  },

  async a031(t) {
    const { id } = await webTask();
    const gone = new AbortController();
    const tunnel = client.openTunnel({ task: parseTaskId(id), spec: { kind: 'exec', command: ['yes'], tty: false, stdin: false, environment: [] } }, gone.signal);
    const frames = tunnel.frames[Symbol.asyncIterator]();
    await frames.next();
    const isThere = async (): Promise<boolean> => (await cluster.ctl('exec', id, '--', 'ps')).includes(' yes');
    t.true(await isThere());
    const written = await writtenUnread(id, 'yes');
    t.true(written < 20 * 2 ** 20, `${String(written)} bytes, of the gigabyte that it writes a second`);
    gone.abort(new Error('the client is gone'));
    await frames.next().catch(() => undefined);
    await eventually('the end of the process', 60_000, async () => !(await isThere()));
  },

  async a033(t) {
    const { id } = await webTask();
    const secret = readFileSync('/etc/shadow', 'utf8').split('\n').filter(line => line.length > 8);
    await cluster.ctl('exec', id, '--', 'sh', '-c', 'mkdir -p /tmp/d; echo inside > /tmp/d/shadow; ln -sfn /etc/shadow /tmp/x; ln -sfn ../../../../../../../etc/shadow /tmp/y; ln -sfn /proc/1/root/etc/shadow /tmp/z');
    const swap = new AbortController();
    const loop = client.openTunnel({
      task: parseTaskId(id), spec: { kind: 'exec', command: ['sh', '-c', 'while :; do ln -sfn /etc /tmp/s; ln -sfn /tmp/d /tmp/s; done'], tty: false, stdin: false, environment: [] },
    }, swap.signal);
    const target = path.join(cluster.home, 'copies');
    mkdirSync(target, { recursive: true });
    for (const [index, source] of ['/tmp/x', '/tmp/y', '/tmp/z', ...Array<string>(8).fill('/tmp/s/shadow')].entries()) {
      await cluster.tryCtl('cp', `${id}:${source}`, path.join(target, String(index)));
    }
    swap.abort(new Error('enough'));
    loop.close();
    for (const name of readdirSync(target)) {
      const file = path.join(target, name);
      // A link is copied as a link, as docker does: none of what it leads to came along.
      const text = lstatSync(file).isSymbolicLink() ? '' : readFileSync(file, 'utf8');
      t.false(secret.some(line => text.includes(line)), `${name} has nothing of the machine's`);
    }
    rmSync(target, { recursive: true });
  },

  async a035(t) {
    const command = await cluster.tryCtl('aply', '-f', 'x');
    t.is(command.exitCode, 2);
    t.regex(command.stderr, /unknown command 'aply'[^]*[Dd]id you mean.*apply/);
    const flag = await cluster.tryCtl('apply', '-f', 'x', '--dry-rnu');
    t.is(flag.exitCode, 2);
    t.regex(flag.stderr, /unknown option '--dry-rnu'[^]*[Dd]id you mean.*--dry-run/);
  },

  async a037(t) {
    const startedMs = performance.now();
    const { pair } = cluster.operatorIdentity();
    const run = await ctlWith(cluster, {
      controllers: ['127.0.0.1:1'], certificate: { kind: 'inline', pem: pair?.certificatePem ?? '' }, key: { kind: 'inline', pem: pair?.keyPem ?? '' },
    }, 'get', 'no');
    t.is(run.exitCode, 3);
    t.regex(run.stderr, /cannot reach controller 127\.0\.0\.1:1: .*connection refused/);
    t.true(performance.now() - startedMs < 10_000 + 3_000);
  },

  async a039(t) {
    const environment = { HOME: cluster.home, GANTRY_CONTEXT: cluster.name, TERM: 'dumb', COLUMNS: '20', NO_COLOR: '1' };
    const table = await runCommand(`${BIN}/clusterctl`, ['get', 'no'], { environment });
    t.is(table.exitCode, 0);
    t.notRegex(table.stdout + table.stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    const json = await runCommand(`${BIN}/clusterctl`, ['get', 'no', '-o', 'json'], { environment });
    t.is((JSON.parse(json.stdout) as { readonly items: readonly unknown[] }).items.length, (await client.view({})).nodes.length);
  },

  async a041(t) {
    for (const count of ['-1', 'abc', '99999999999', '10001', '1.5', '', '1e3']) {
      const run = await cluster.tryCtl('scale', `api/web=${count}`);
      t.true([1, 2].includes(run.exitCode ?? 0), count);
      t.regex(run.stderr, /replicas.*0\.\.10000/, count);
    }
    for (const replicas of [-1, 10_001, 99_999_999_999]) {
      t.is(await codeOf(client.scale({ requestId: randomUUID(), service: WEB, replicas })), 'INVALID_ARGUMENT', String(replicas));
    }
  },

  async a043(t) {
    const folder = mkdtempSync(path.join(cluster.home, 'keys-'));
    const { pair } = cluster.operatorIdentity();
    const file = (name: string, text: string, mode = 0o600): PemSource => {
      writeFileSync(path.join(folder, name), text);
      chmodSync(path.join(folder, name), mode);
      return { kind: 'file', path: path.join(folder, name) };
    };
    const good = { certificate: file('good.pem', pair?.certificatePem ?? ''), key: file('good.key', pair?.keyPem ?? '') };
    const directory: PemSource = { kind: 'file', path: folder };
    const { keyPem } = await createSigningRequest();
    const odd: readonly (readonly [string, { readonly certificate?: PemSource; readonly key?: PemSource; readonly ca?: PemSource }, RegExp])[] = [
      ['a directory', { certificate: directory }, /certificate .*keys-.*: is a directory/],
      ['a directory as key', { key: directory }, /key .*keys-.*: is a directory/],
      ['empty', { certificate: file('empty.pem', '') }, /certificate .*empty\.pem: is not PEM/],
      ['of another key', { key: file('x.key', keyPem) }, /client key .*x\.key: does not match certificate/],
      ['world-readable', { key: file('open.key', pair?.keyPem ?? '', 0o644) }, /key .*open\.key: others can read it/],
      ['absent', { certificate: { kind: 'file', path: path.join(folder, 'none') } }, /certificate .*none: there is no such file/],
      ['an empty CA', { ca: file('ca.pem', '') }, /CA .*ca\.pem: is not PEM/],
    ];
    for (const [what, change, told] of odd) {
      const run = await ctlWith(cluster, { ...good, ...change }, 'get', 'no');
      t.true([1, 2, 3].includes(run.exitCode ?? 0), what);
      t.regex(run.stderr, told, what);
    }
    t.is((await ctlWith(cluster, good, 'get', 'no')).exitCode, 0, 'a good one is taken');
  },
};

/** Cases that shake the cluster come after the others. */
const LAST: Readonly<Record<string, Case>> = {
  async a019(t) {
    // Whoever takes nothing for 30 s is dropped. What waits then is read to its end, which says why.
    await eventually('30 s without a reader', 60_000, () => performance.now() - stalledAtMs > 35_000);
    let waiting = 0;
    stalled.stream.on('data', (chunk: Buffer) => { waiting += chunk.length; }).resume();
    let status = '';
    stalled.status.then(value => { status = value; }, (error: unknown) => { status = String(error); });
    await eventually('the end of the stream', 60_000, () => status !== '');
    t.is(status, '8');
    t.true(waiting < 4 * 1024 * 1024, `${String(waiting)} bytes waited: bounded`);
    await client.setLabels({ requestId: randomUUID(), node: parseNodeId('n1'), set: new Map(), remove: TURNS });
  },

  async a025(t) {
    const status = await client.clusterStatus();
    const leaderIndex = cluster.layout.controllers.findIndex(({ name }) => name === status.leader);
    const at = (index: number, timeoutMs = 5_000): ControlClient => createControlClient({ controllers: [address(index)], identity: cluster.operatorIdentity(), timeoutMs });
    const follower = at(1 - leaderIndex);
    const scale = async (one: ControlClient, replicas: number): Promise<string> => await codeOf(one.scale({ requestId: randomUUID(), service: WEB, replicas }));
    t.is(await scale(follower, 2), 'done', 'a follower serves it');
    cluster.kill(status.leader ?? '', 'SIGSTOP');
    const next = await eventually('another leader', 60_000, async () => {
      const now = await follower.clusterStatus();
      return now.epoch > status.epoch && now.leader !== status.leader ? now : undefined;
    });
    cluster.kill(status.leader ?? '', 'SIGCONT');
    await eventually('the old leader serves again', 60_000, async () => await scale(at(leaderIndex), 3) === 'done');
    await eventually('three tasks by the new leader', 60_000, async () => (await cluster.tasks('api/web')).filter(task => task['state'] === 'running').length === 3);
    t.is((await client.clusterStatus()).epoch, next.epoch, 'the old one did not lead again');
    cluster.kill('etcd', 'SIGSTOP');
    const startedMs = performance.now();
    t.is(await codeOf(at(0, 20_000).scale({ requestId: randomUUID(), service: WEB, replicas: 9 })), 'UNAVAILABLE', 'cut off from etcd');
    t.true(performance.now() - startedMs < 5_000 + 3_000, 'within 5 s');
    cluster.kill('etcd', 'SIGCONT');
    await eventually('the cluster serves again', 60_000, async () => await scale(client, 1) === 'done');
  },
};

const inputs = readBadInputs('api-cli.jsonl');
const rank = (id: string): number => Object.keys(LAST).indexOf(id);
const MOVES: readonly string[] = ['a019', 'a023', 'a025'];

for (const input of shuffled(inputs, seed).toSorted((left, right) => rank(left.id) - rank(right.id))) {
  test.serial(`${input.id}: ${input.intent}`, async t => {
    t.timeout(300_000);
    const run = CASES[input.id] ?? LAST[input.id];
    if (run === undefined) {
      t.fail(`${input.id} has no test`);
      return;
    }
    const before = await eye.keys(DESIRED);
    await run(t);
    if (!MOVES.includes(input.id)) {
      t.deepEqual(await eye.keys(DESIRED), before, 'nothing changed');
    }
    await t.notThrowsAsync(probeControllers(cluster));
  });
}

test.serial('the cluster goes without a trace', async t => {
  stalled[Symbol.dispose]();
  eye[Symbol.dispose]();
  client.close();
  t.deepEqual(await cluster.down(), []);
});

test.after.always('a run that broke off leaves nothing', async () => {
  await (cluster as DevCluster | undefined)?.down().catch(() => undefined);
});
