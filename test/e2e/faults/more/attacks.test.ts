/**
 * Attacks of clients, tasks, machines of the LAN and users of the machine on one cluster, one after another (needs root).
 *
 * Beside each the polite service on the same node answers each request, within twice its quiet p99 of the same run; the node stays
 * ready with the same agent and session; nothing of the attack is left.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { createSigningRequest, issueCertificate } from '#identity/certificate-authority.ts';
import { parseJoinToken } from '#identity/join-token-parse.ts';
import { systemClock } from '#kit/clock.ts';
import { runCommand, startProcess } from '#kit/command-process.ts';
import type { CommandOutcome } from '#kit/command-process.ts';
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import type { ControlClient, TaskView } from '#model/ports.ts';
import { NatsNews } from '#news/nats-client.ts';
import { joinCluster } from '#rpc/agent-client.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { DevCluster, eventually } from '../../../support/dev-cluster.ts';
import { startFakeRegistry } from '../../../support/fake-registry.ts';
import type { FakeRegistry } from '../../../support/fake-registry.ts';
import { hostileClients } from '../../../support/hostile-clients.ts';
import { buildRecipe, goodImage } from '../../../support/image-builder.ts';
import { LanHost, reachedFrom } from '../../../support/lan-host.ts';
import { NeighbourLoad, untilAborted } from '../../../support/neighbour-load.ts';
import type { Attack } from '../../../support/neighbour-load.ts';
import { inMountsOf, logLines, oneService, pidOf, running, runTask, taskOutput, taskOnce } from '../../../support/node-faults.ts';
import { settleNodes } from '../../../support/node-leftovers.ts';
import { oddIdentities } from '../../../support/odd-identities.ts';
import { silentLogger } from '../../../support/silent-logger.ts';
import { buildTar } from '../../../support/tar-builder.ts';

/** Four ticks of the kernel's timer: an answer takes the wake-ups of four processes, each of which may wait for one. Source: CONFIG_HZ=250 */
const FLOOR_MS = 16;
const MEASUREMENTS = 3;
const MIB = 2 ** 20;
const PUBLISHED = 8080;
const CLOUDS = ['168.63.129.16', '100.100.100.200', '192.0.0.192'];

let cluster: DevCluster;
let client: ControlClient;
let load: NeighbourLoad;
let neighbour: TaskView;
const registries: FakeRegistry[] = [];

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
  client = cluster.client();
  const script = 'mkdir -p /srv; echo polite > /srv/index.html; exec httpd -f -p 80 -h /srv';
  const probe = 'healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 1s, timeout: 20s, retries: 4 }';
  const resources = 'resources: { requests: { cpus: 1, memory: 32Mi }, limits: { memory: 64Mi } }';
  await cluster.apply(oneService({ name: 'polite', script, more: [`ports: [{ published: ${String(PUBLISHED)}, target: 80 }]`, probe, resources] }), '--wait');
  [neighbour = neighbour] = await running(client, 'polite');
  // As if they were on other machines.
  for (const { name, pid } of cluster.file.processes) {
    if (pid !== undefined && name !== 'n1') setPriority(pid, 19);
  }
  load = new NeighbourLoad(`http://${nodeAddress()}:${String(PUBLISHED)}/`);
  const pki = `${cluster.layout.stateDir}/pki/registry`;
  const tls = { cert: readFileSync(`${pki}/certificate.pem`), key: readFileSync(`${pki}/key.pem`) };
  for (const _ of ['owner', 'attacker']) registries.push(await startFakeRegistry({ host: cluster.layout.hostAddress, tls }));
});

test.after.always('nothing is left', async t => {
  await load[Symbol.asyncDispose]();
  client.close();
  for (const registry of registries) await registry[Symbol.asyncDispose]();
  t.deepEqual(await cluster.down(), []);
});

const nodeAddress = (): string => cluster.layout.nodes[0]?.address ?? '';
const controller = (): DevCluster['layout']['controllers'][number] => {
  const [first] = cluster.layout.controllers;
  if (first === undefined) throw new Error('the cluster has no controller');
  return first;
};
const registrations = (): number => logLines(cluster, 'n1').filter(({ msg }) => msg === 'registered').length;

function identityIn(folder: string): TlsIdentity {
  const pem = (file: string): string => readFileSync(`${cluster.layout.stateDir}/${folder}/${file}.pem`, 'utf8');
  return { caPem: pem('ca'), pair: { certificatePem: pem('certificate'), keyPem: pem('key') } };
}

/** Attacks in turns, and judges the neighbour, the node and what is left. */
async function endures(t: ExecutionContext, attack: Attack): Promise<void> {
  const [agent, sessions] = [cluster.process('n1').pid, registrations()];
  const conditions = new Set<string>();
  const looking = new AbortController();
  const look = (async () => {
    while (!looking.signal.aborted) {
      (await client.view({})).nodes.forEach(({ node }) => { conditions.add(node.condition); });
      await sleep(500);
    }
  })();
  try {
    let isHeld = false;
    // What an attack causes is there each time; what else the machine does is not.
    for (let measured = 0; measured < MEASUREMENTS && !isHeld; measured += 1) {
      const { quietMs, besideMs, failures, roundsMs } = await load.beside(attack);
      t.log(`p99 quiet ${quietMs.toFixed(1)} ms, beside ${besideMs.toFixed(1)} ms; rounds: ${roundsMs.map(ms => ms.toFixed(1)).join(' ')}`);
      t.deepEqual(failures, [], 'each request is answered');
      isHeld = besideMs <= Math.max(2 * quietMs, FLOOR_MS);
    }
    t.true(isHeld, `more than twice its quiet p99, ${String(MEASUREMENTS)} times`);
  } finally {
    looking.abort();
    await look;
  }
  t.deepEqual([...conditions], ['ready']);
  t.deepEqual([cluster.process('n1').pid, registrations()], [agent, sessions], 'the same agent and session');
  const [still] = await running(client, 'polite');
  t.deepEqual([still?.task.id, still?.status?.attempt, pidOf(still)], [neighbour.task.id, 1, pidOf(neighbour)]);
}

/** A task whose program attacks while `/tmp/go` is there: again and again `script`, which prints what must not be. */
async function enduresTask(t: ExecutionContext, name: string, script: string, more: readonly string[] = []): Promise<void> {
  const gated = `trap "exit 0" TERM; while :; do if [ -e /tmp/go ]; then ${script}; else sleep 0.1; fi; done`;
  await runTask({ cluster, client }, { name, script: gated, more }, async view => {
    const go = (): string => `/proc/${String(pidOf(view))}/root/tmp/go`;
    await endures(t, async signal => {
      const [now] = await running(client, name);
      if (now !== undefined) writeFileSync(`/proc/${String(pidOf(now))}/root/tmp/go`, '');
      await untilAborted(signal);
      rmSync(go(), { force: true });
    });
    t.deepEqual(taskOutput(cluster, view).filter(line => line.startsWith('REACHED')), []);
  });
  await settleNodes(cluster);
}

/** clusterctl of somebody whose own machine does the work: it takes no processor from the node. */
async function farCtl(...args: readonly string[]): Promise<CommandOutcome> {
  return await runCommand('nice', ['-n', '19', cluster.program, ...args], { timeoutMs: 180_000, environment: cluster.environment });
}

async function farApply(yaml: string, ...flags: readonly string[]): Promise<CommandOutcome> {
  writeFileSync(`${cluster.home}/attack.yaml`, yaml);
  return await farCtl('apply', '-f', `${cluster.home}/attack.yaml`, '--detach', ...flags);
}

/** An attack that is `once`, again and again. */
function repeatedly(once: () => Promise<void>, pauseMs = 50): Attack {
  return async signal => {
    while (!signal.aborted) {
      await once();
      await sleep(pauseMs);
    }
  };
}

test.serial('12: handshakes that never end or are refused, and watches that nobody reads; another operator is answered, and the controller holds nothing after', async t => {
  const keyPem = readFileSync(`${cluster.layout.stateDir}/pki/ca-key.pem`, 'utf8');
  const { caPem } = cluster.operatorIdentity();
  const authority = { certificatePem: caPem, keyPem };
  const pair = await issueCertificate(authority, { role: 'operator', name: 'hostile', dnsNames: [], ipAddresses: [] }, { nowMs: Date.now() });
  const stranger = (await oddIdentities(authority, Date.now()))['another CA'];
  const held = async (): Promise<number> => {
    const { stdout } = await runCommand('ss', ['-Htn', 'state', 'established', 'sport', '=', `:${String(controller().apiPort)}`]);
    return stdout.split('\n').filter(line => line !== '').length;
  };
  const before = await held();
  const answers = new Set<string>();
  const target = { host: cluster.layout.hostAddress, port: controller().apiPort, identity: { caPem, pair }, stranger };
  await endures(t, async signal => {
    await Promise.all([hostileClients(target, signal), repeatedly(async () => { answers.add((await client.clusterStatus()).version); }, 200)(signal)]);
  });
  t.is(answers.size, 1);
  await eventually(`${String(before)} connections again`, 60_000, async () => await held() <= before);
});

test.serial('14: a join token with the name of the node', async t => {
  const { token } = await client.createToken({ ttlMs: 600_000, role: 'node' });
  const answers = new Set<string>();
  const address = `${cluster.layout.hostAddress}:${String(controller().joinPort)}`;
  await endures(t, repeatedly(async () => {
    const { csrPem } = await createSigningRequest();
    const joined = joinCluster({ address, token, caSha256: parseJoinToken(token).caSha256, nodeName: 'n1', csrPem });
    answers.add(await joined.then(() => 'a certificate', (error: unknown) => (error instanceof ClusterError ? error.code : String(error))));
  }));
  t.true(answers.has('ALREADY_EXISTS'));
  t.deepEqual([...answers].filter(answer => answer !== 'ALREADY_EXISTS' && answer !== 'RESOURCE_EXHAUSTED'), []);
});

test.serial('16: the certificate of the node at NATS', async t => {
  const { hostAddress, natsPort } = cluster.layout;
  const identity = identityIn('n1/config');
  let opened = 0;
  await endures(t, async signal => {
    const news = Array.from({ length: 5 }, () => new NatsNews({
      servers: [`${hostAddress}:${String(natsPort)}`], identity: () => identity, onGap: () => undefined, clock: systemClock, log: silentLogger,
    }));
    const forge = (): void => {
      news.forEach(one => {
        if (one.isConnected) opened += 1;
        one.publishUsage({
          node: 'n1' as NodeId, task: neighbour.task.id, atMs: Date.now(), cpuMicroseconds: 1, memoryBytes: 777_777, memoryLimitBytes: 0,
          processes: 7, networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0,
        });
      });
    };
    await Promise.all([...news.map(async one => { await one.run(signal); }), repeatedly(() => { forge(); return Promise.resolve(); })(signal)]);
  });
  t.is(opened, 0);
});

test.serial('17: an image that names a private layer of another namespace by its digest', async t => {
  const [owner, attacker] = registries;
  if (owner === undefined || attacker === undefined) throw new Error('no registries');
  const image = goodImage('secret', MIB);
  owner.serve(image.served, { login: { username: 'robot', password: 'known' } });
  const login = await runCommand(cluster.program, ['login', owner.registry, '-u', 'robot', '--password-stdin'], { input: 'known\n', environment: cluster.environment });
  t.is(login.exitCode, 0, login.stderr);
  await cluster.apply(oneService({ name: 'owner', image: `${owner.registry}/team/private@${image.digest}` }).replace(/ +command: .*\n/, ''));
  await running(client, 'owner');
  // It knows digests and sizes, and says yes to each HEAD; it does not have the bytes.
  attacker.serve({ ...image.served, blobs: new Map([...image.served.blobs].map(([digest, bytes]) => [digest, bytes.length > MIB ? Buffer.alloc(bytes.length) : bytes])) });
  const theft = oneService({ name: 'thief', image: `${attacker.registry}/evil/private@${image.digest}`, more: ['restart: { policy: always, max_attempts: 3, window: 10m, delay: 1s }'] }).replace(/ +command: .*\n/, '');
  const states = new Set<string>();
  await endures(t, repeatedly(async () => {
    await farApply(theft, '-n', 'evil');
    (await client.view({ app: 'thief' })).tasks.forEach(view => { states.add(view.state); });
  }, 1_000));
  await taskOnce(client, 'thief', 'the refusal', view => view.status?.reason === 'ImagePullFailed');
  t.false(states.has('running'));
  await cluster.ctl('delete', 'app/thief', '-y', '-n', 'evil');
  await cluster.ctl('delete', 'app/owner', '-y');
  await cluster.ctl('logout', owner.registry);
  await settleNodes(cluster);
});

test.serial('18: ports of the machine', async t => {
  const ports = ['22', '53/udp', '7400', '7403', '7410', '7411', '4789/udp', '7402'];
  const answers = new Set<string>();
  let next = 0;
  await endures(t, repeatedly(async () => {
    const port = ports[next % ports.length] ?? '';
    next += 1;
    const [published = '', protocol = 'tcp'] = port.split('/');
    const { exitCode, stderr } = await farApply(oneService({ name: 'taker', more: [`ports: [{ published: ${published}, target: 80, protocol: ${protocol} }]`] }));
    answers.add(`${port}: ${String(exitCode)} ${/ports\[0\].*(?:reserved|of the machine)/.test(stderr) ? 'said' : stderr}`);
  }));
  t.deepEqual([...answers].sort(), ports.slice(0, next).map(port => `${port}: 1 said`).sort());
});

test.serial('19: a machine of the LAN with a route to the node: virtual IPs, addresses of tasks and of the bridge', async t => {
  await using lan = await LanHost.join(cluster.layout);
  const [service] = await cluster.items('get', 'svc');
  const closed = [`${String(service?.['virtualIp'])}:${String(PUBLISHED)}`, `${String(service?.['virtualIp'])}:80`, `${neighbour.status?.address ?? ''}:80`, '10.128.0.1:53', '10.128.1.1:53'];
  const reached = new Set<string>();
  await endures(t, repeatedly(async () => { (await lan.reached(closed)).forEach(at => { reached.add(at); }); }));
  t.deepEqual([...reached], []);
  t.deepEqual(await lan.reached([`${nodeAddress()}:${String(PUBLISHED)}`]), [`${nodeAddress()}:${String(PUBLISHED)}`], 'the published port is open to it');
});

test.serial('20: management ports and metadata addresses, from a task', async t => {
  await using lan = await LanHost.join(cluster.layout, CLOUDS);
  const server = startProcess('nsenter', [...lan.inside, 'busybox', 'httpd', '-f', '-p', '80', '-h', cluster.home], { stdio: 'ignore' });
  t.teardown(() => { server.kill('SIGKILL'); });
  const { hostAddress, natsPort, registryPort } = cluster.layout;
  const { apiPort, joinPort, metricsPort } = controller();
  const closed = [
    ...CLOUDS.map(address => `${address}:80`), ...[apiPort, joinPort, metricsPort, natsPort, registryPort].map(port => `${hostAddress}:${String(port)}`), `${nodeAddress()}:7402`,
  ].sort();
  const fromNode = [`--net=/run/netns/${cluster.layout.nodes[0]?.networkNamespace ?? ''}`];
  await eventually('all of them answer the node', 60_000, async () => {
    const open = await reachedFrom(fromNode, closed);
    if (open.length < closed.length) throw new Error(`only ${open.join(', ')}`);
    return true;
  });
  const dial = closed.map(at => `(nc -w 1 ${at.replace(':', ' ')} </dev/null >/dev/null 2>&1 && echo REACHED ${at}) &`).join(' ');
  await enduresTask(t, 'prober', `${dial} wait`);
});

test.serial('21: exec -u with accounts that are kernel files, and cp from procfs', async t => {
  const script = 'rm -f /etc/passwd /etc/group; ln -s /proc/kpageflags /etc/passwd; truncate -s 8G /etc/group; ln -s /proc /tmp/p; trap "exit 0" TERM; while :; do sleep 1; done';
  await runTask({ cluster, client }, { name: 'liar', script }, async () => {
    const codes = new Set<string>();
    await endures(t, repeatedly(async () => {
      const outcomes = await Promise.all([
        farCtl('exec', '-u', 'somebody', 'liar/main', '--', 'true'), farCtl('cp', 'liar/main:/tmp/p/kpageflags', `${cluster.home}/stolen`), farCtl('cp', 'liar/main:/proc/1/root/etc', `${cluster.home}/stolen`),
      ]);
      outcomes.forEach(({ exitCode }, index) => { codes.add(`${String(index)}: ${String(exitCode)}`); });
    }, 500));
    t.deepEqual([...codes].filter(code => code.endsWith(': 0')), []);
  });
  await settleNodes(cluster);
});

test.serial('22: a user of the machine reads no file of a container', async t => {
  const { stateDir, runDir } = cluster.layout;
  const places = [`${stateDir}/n1/state/images`, `${stateDir}/n1/state/snapshots`, `${stateDir}/n1/state/volumes`, `${runDir}/n1/bundles`, `${runDir}/n1/volumes`, `/proc/${String(pidOf(neighbour))}/root`];
  const found = new Set<string>();
  await endures(t, repeatedly(async () => {
    for (const place of places) {
      const list = `setpriv --reuid 65534 --regid 65534 --clear-groups ls ${place}/ 2>/dev/null; setpriv --reuid 65534 --regid 65534 --clear-groups find ${place} -mindepth 1 -readable 2>/dev/null; true`;
      if (await inMountsOf(cluster, 'n1', 'sh', '-c', list) !== '') found.add(place);
    }
  }, 200));
  t.deepEqual([...found], []);
  t.not(await inMountsOf(cluster, 'n1', 'ls', `${stateDir}/n1/state/snapshots`), '', 'there is something to find');
});

test.serial('23: a log flood', async t => {
  await enduresTask(t, 'flood', 'yes | head -c 20000000', ['resources: { requests: { cpus: 0.1, memory: 8Mi }, limits: { memory: 64Mi, pids: 64 } }']);
});

test.serial('23: a task that fills its disk beyond its limit', async t => {
  await enduresTask(t, 'filler', 'dd if=/dev/zero of=/tmp/full bs=1M count=4000 2>/dev/null; rm -f /tmp/full', ['resources: { requests: { cpus: 0.1, memory: 8Mi }, limits: { memory: 64Mi, pids: 64, storage: 64Mi } }']);
});

test.serial('23: exec probes that hang', async t => {
  await runTask({ cluster, client }, { name: 'hung', replicas: 8, more: ['healthcheck: { test: [CMD, sleep, "1000"], interval: 500ms, timeout: 20s, retries: 100 }'] }, async () => {
    await endures(t, untilAborted);
  });
  await settleNodes(cluster);
});

test.serial('23: all inotify instances taken by a container', async t => {
  await runTask({ cluster, client }, { name: 'watcher' }, async view => {
    // Source: inotify_init1(2), user_namespaces(7): instances of a user count in each namespace above, for the one who made it.
    const take = `my @f; while (@f < 4000 && (my $fd = syscall(${process.arch === 'arm64' ? '26' : '294'}, 0)) >= 0) { push @f, $fd } $| = 1; print scalar(@f), "\\n"; sleep 1000`;
    await endures(t, async signal => {
      const taker = startProcess('nsenter', [`--user=/proc/${String(pidOf(view))}/ns/user`, '-S', '0', '-G', '0', 'perl', '-e', take], { stdio: 'ignore' });
      const exec = cluster.tryCtl('exec', 'watcher/main', '--', 'true');
      await untilAborted(signal);
      t.is((await exec).exitCode, 0);
      taker.kill('SIGKILL');
    });
  });
  await settleNodes(cluster);
});

test.serial('23: a flood of DNS queries', async t => {
  await runTask({ cluster, client }, { name: 'asker' }, async view => {
    const gateway = /nameserver (\S+)/.exec(readFileSync(`/proc/${String(pidOf(view))}/root/etc/resolv.conf`, 'utf8'))?.[1] ?? '';
    const flood = `
      const socket = require('node:dgram').createSocket('udp4');
      const query = Buffer.concat([Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 6]), Buffer.from('polite'), Buffer.from([0, 0, 1, 0, 1])]);
      socket.connect(53, ${JSON.stringify(gateway)}, () => setInterval(() => { for (let one = 0; one < 50; one += 1) socket.send(query); }, 5));`;
    await endures(t, async signal => {
      const flooder = startProcess('nsenter', [`--net=/proc/${String(pidOf(view))}/ns/net`, process.execPath, '-e', flood], { stdio: 'ignore' });
      await untilAborted(signal);
      flooder.kill('SIGKILL');
    });
  });
  await settleNodes(cluster);
});

test.serial('23: cp of archives whose file has 99,000 parts', async t => {
  const parts = 99_000;
  const map = Array.from({ length: parts }, (_, index) => `${String(index * 2)},1`).join();
  const archive = `${cluster.home}/parts.tar`;
  const pax = { 'GNU.sparse.map': map, 'GNU.sparse.size': String(2 * parts), 'GNU.sparse.name': 'parts' };
  writeFileSync(archive, buildTar([{ t: 'f', n: 'GNUSparseFile.0/parts', data: 'x'.repeat(parts), pax }]));
  await runTask({ cluster, client }, { name: 'parts' }, async () => {
    const ends = new Set<string>();
    await endures(t, repeatedly(async () => {
      const { exitCode, stderr } = await runCommand('nice', ['-n', '19', 'sh', '-c', `exec "$0" cp - parts/main:/tmp <${archive}`, cluster.program], { timeoutMs: 60_000, environment: cluster.environment });
      ends.add(`${String(exitCode)} ${stderr}`);
    }, 500));
    t.deepEqual([...ends], ['0 ']);
  });
  await settleNodes(cluster);
});

test.serial('24: a layer over the limits, a layer that always answers 500, kernel settings that the kernel refuses', async t => {
  const [ill, over] = registries;
  if (ill === undefined || over === undefined) throw new Error('no registries');
  const [broken, bomb] = [goodImage('broken', MIB), buildRecipe({ gzipZeros: '10GiB' })];
  ill.serve(broken.served, { blobStatus: 500 });
  over.serve(bomb.served);
  const apps = { broken: oneService({ name: 'broken', image: `${ill.registry}/bad/broken@${broken.digest}` }), bomb: oneService({ name: 'bomb', image: `${over.registry}/bad/bomb@${bomb.digest}` }) };
  const sysctl = (value: string): string => oneService({ name: 'kernel', more: [`sysctls: { net.core.somaxconn: ${JSON.stringify(value)} }`] });
  const accepted = new Set<string>();
  for (const app of Object.values(apps)) await cluster.apply(app, '--detach');
  await endures(t, repeatedly(async () => {
    for (const value of ['abc', '-1', '1+kernel.core_pattern=|/x']) {
      if ((await farApply(sysctl(value))).exitCode === 0) accepted.add(value);
    }
  }, 500));
  for (const name of Object.keys(apps)) await taskOnce(client, name, `the refusal of ${name}`, view => view.status?.reason === 'ImagePullFailed');
  const asked = (registry: FakeRegistry): number => Math.max(...registry.blobRequests.values());
  t.log(`the most requests of one blob: ${String(asked(ill))} of 500, ${String(asked(over))} of the bomb; accepted: ${[...accepted].join(', ')}`);
  // Source: agent/image/backed-off-images-flow.ts: six pulls in the first half minute, of which each asks a registry that is ill some times.
  t.true(asked(over) <= 7, String(asked(over)));
  t.true(asked(ill) <= 20, String(asked(ill)));
  t.deepEqual([...accepted], []);
  for (const name of Object.keys(apps)) await cluster.ctl('delete', `app/${name}`, '-y');
  await settleNodes(cluster);
});
