/** needs root: each case of fixtures/badinputs/runtime.jsonl in real containers, and what node and namespace policies open; nothing is left. */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { systemClock } from '#kit/clock.ts';
import type { ControlClient, TaskView } from '#model/ports.ts';
import { CgroupFs } from '../../agent/cgroup/cgroup-fs.ts';
import { ConmonRuntime } from '../../agent/runtime/conmon-process.ts';
import { readBadInputs } from '../support/bad-input.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';
import { push } from '../support/image-fixture.ts';
import { readStarts } from '../support/invariants.ts';
import { inside, mountLoopDisk, unmountDisk, whyNoLoopDisk } from '../support/loop-disk.ts';
import { identityOf, oneService, pidOf, runTask, running } from '../support/node-faults.ts';
import type { WithTask } from '../support/node-faults.ts';
import { run } from '../support/node-namespaces.ts';
import { settleNodes } from '../support/node-leftovers.ts';
import { SideProcess } from '../support/side-process.ts';
import { buildTar } from '../support/tar-builder.ts';

const CASES = new Map(readBadInputs('runtime.jsonl').map(one => [one.id, one]));
/** Run by another file, or by none. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  r011: 'integration/full-disk.test.ts fills a disk; ten million files take longer than a test may',
  r013: 'e2e/faults/node-containers.test.ts, row F14',
  r021: 'integration/container-attacks.test.ts, with perl for the system calls',
  r025: 'integration/network.test.ts for frames by hand, integration/container-attacks.test.ts for the sockets',
};
const HEAD = 'apiVersion: gantry/v1\nkind: App\n';
const ran = new Set<string>();
/** What the node offers to services: directories of it. */
const offered = mkdtempSync('/var/tmp/gantry-offered-');

let cluster: DevCluster;
let client: ControlClient;
let odd: string;
let large: string;

test.before(async () => {
  chmodSync(offered, 0o777);
  writeFileSync(`${offered}/greeting`, 'of the machine\n');
  cluster = await DevCluster.up({ nodes: 1, controllers: 1, agentOptions: `--allow-privileged --bind-prefixes ${offered} --device-paths /dev/full --devices acme.com/dsp=/dev/full` });
  client = cluster.client();
  const server = { registry: cluster.registry, caPem: cluster.operatorIdentity().caPem };
  const layer = oddLayer();
  odd = (await push(server, 'odd', { layers: [layer], config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] } })).image;
  // More than the kernel takes, in pieces that it would take one by one. Source: execve(2), MAX_ARG_STRLEN
  large = (await push(server, 'large', { layers: [layer], config: { Cmd: ['/bin/true', ...Array.from({ length: 20 }, () => 'x'.repeat(120_000))], Env: ['PATH=/bin'] } })).image;
});

test.after.always('nothing is left', async t => {
  client.close();
  t.deepEqual(await cluster.down(), []);
  rmSync(offered, { recursive: true });
});

/** A test named by its case. */
function bad(id: string, body: (t: ExecutionContext) => Promise<void>): void {
  test.serial(`${id}: ${CASES.get(id)?.intent ?? 'no such case'}`, async t => {
    ran.add(id);
    await body(t);
  });
}

const withTask: WithTask = async (app, body) => { await runTask({ cluster, client }, app, body); };

/** The ended task of each job of the App. */
async function endsOf(app: string, jobs: number): Promise<ReadonlyMap<string, TaskView>> {
  const ended = await eventually(`the ends of ${String(jobs)} jobs of ${app}`, 60_000, async () => {
    const { tasks } = await client.view({ app });
    const over = tasks.filter(({ state }) => state === 'complete' || state === 'failed');
    return over.length === jobs ? over : undefined;
  });
  return new Map(ended.map(view => [view.task.service, view]));
}

async function exec(app: string, script: string): Promise<{ readonly exitCode: number; readonly output: string }> {
  const { exitCode, stdout, stderr } = await cluster.tryCtl('exec', `${app}/main`, '--', 'sh', '-c', script);
  return { exitCode: exitCode ?? -1, output: `${stdout}${stderr}` };
}

const job = (name: string, image: string, lines: readonly string[]): string =>
  [`  ${name}:`, '    kind: job', `    image: ${image}`, '    job: { retries: 0 }', '    restart: { policy: never }', ...lines.map(line => `    ${line}`), ''].join('\n');

bad('r001', async t => {
  const directory = mkdtempSync('/var/tmp/gantry-ids-');
  const program = `${directory}/crun`;
  writeFileSync(program, `#!/bin/sh\ntouch ${directory}/executed\n`, { mode: 0o755 });
  mkdirSync(`${directory}/state/crun/beside`, { recursive: true });
  const cgroups = new CgroupFs('gantry-ids', systemClock);
  const runtime = new ConmonRuntime({ stateDir: `${directory}/state`, conmonPath: program, cgroups, clock: systemClock, programs: new Map([['crun', program]]) });
  for (const id of ['..', '.', '', 'a/b', '-x', 'a b', 'a'.repeat(300), 'a\nb', 'a\0b']) {
    for (const call of [
      () => runtime.remove(id), () => runtime.start(id), () => runtime.state(id), () => runtime.kill(id, 'KILL', true), () => runtime.readEnd(id),
      () => runtime.create({ id, runtime: 'crun', bundlePath: directory, configJson: '{}', logPath: `${directory}/log`, terminal: false, stdin: false }, new AbortController().signal),
    ]) {
      await t.throwsAsync(call, { instanceOf: RangeError, message: /container id .* does not match/ }, JSON.stringify(id));
    }
  }
  t.false(existsSync(`${directory}/executed`));
  t.true(existsSync(`${directory}/state/crun/beside`));
  rmSync(directory, { recursive: true });
});

const STARTS: Readonly<Record<string, { readonly command: string; readonly code: number; readonly says: RegExp }>> = {
  plain: { command: '/srv/plain', code: 126, says: /permission denied, it is not executable/ },
  directory: { command: '/srv', code: 126, says: /is a directory/ },
  foreign: { command: '/srv/foreign', code: 126, says: /exec format error, it is for another architecture/ },
  script: { command: '/srv/script', code: 127, says: /interpreter '\/bin\/foo' not found/ },
};

bad('r003', async t => {
  await cluster.apply(`${HEAD}metadata: { name: starts }\nservices:\n${Object.entries(STARTS).map(([name, { command }]) => job(name, odd, [`command: [${command}]`])).join('')}`);
  const ends = await endsOf('starts', Object.keys(STARTS).length);
  for (const [name, { code, says }] of Object.entries(STARTS)) {
    const status = ends.get(name)?.status;
    t.is(status?.lastExit?.code, code, name);
    t.regex(status?.message ?? '', says, name);
  }
  await cluster.ctl('delete', 'app/starts', '-y');
});

bad('r005', async t => {
  const user = (name: string): readonly string[] => ['command: [/bin/sh, -c, "id -u"]', `security: { user: "${name}" }`];
  await cluster.apply(`${HEAD}metadata: { name: users }\nservices:\n${job('unknown', 'hello:1', user('app'))}${job('nofile', odd, user('app'))}${job('number', odd, user('1234'))}`);
  const ends = await endsOf('users', 3);
  for (const name of ['unknown', 'nofile']) {
    t.is(ends.get(name)?.state, 'failed', name);
    t.regex(ends.get(name)?.status?.message ?? '', /user 'app' not found in image/, name);
  }
  t.is(ends.get('number')?.state, 'complete');
  t.is(await cluster.ctl('logs', `task/${ends.get('number')?.task.id ?? ''}`), '1234\n');
  await cluster.ctl('delete', 'app/users', '-y');
});

bad('r007', async t => {
  await cluster.apply(`${HEAD}metadata: { name: hog }\nservices:\n${job('main', 'hello:1', [
    'command: [/bin/sh, -c, "dd if=/dev/zero of=/dev/null bs=100M count=1; echo child $?; exit 0"]', 'resources: { limits: { memory: 32Mi } }',
  ])}`);
  const view = (await endsOf('hog', 1)).get('main');
  t.is(view?.state, 'complete');
  t.like(view?.status?.lastExit, { code: 0, reason: 'exited' });
  t.is((await cluster.ctl('logs', `task/${view?.task.id ?? ''}`)).match(/child \d+/)?.[0], 'child 137');
  await eventually('the event', 60_000, async () => (await client.events({ object: `task/${view?.task.id ?? ''}` })).some(event => event.reason === 'OOMKilledChild'));
  await cluster.ctl('delete', 'app/hog', '-y');
});

bad('r009', async t => {
  await withTask({ name: 'full', script: 'for i in $(seq 63); do sleep 1000 & done; exec sleep 1000', more: ['restart: { policy: never }'] }, async view => {
    const identity = identityOf(pidOf(view));
    const refused = await eventually('a refusal', 60_000, async () => {
      const answer = await exec('full', 'true');
      return answer.exitCode !== 0 && answer;
    });
    t.regex(refused.output, /exec: resource temporarily unavailable \(pids limit 64\)/);
    t.is(identityOf(pidOf(view)), identity);
    t.is((await running(client, 'full'))[0]?.status?.pid, view.status?.pid);
  });
});

const whyNoDisk = whyNoLoopDisk();
if (whyNoDisk === undefined) {
  bad('r015', async t => {
    const enter = ['nsenter', `--mount=${cluster.layout.runDir}/mnt/n1`, '--'];
    const mountPoint = `${offered}/disk`;
    mkdirSync(mountPoint);
    mountLoopDisk({ file: `${offered}/disk.img`, mountPoint, mebibytes: 16 }, enter);
    chmodSync(mountPoint, 0o777);
    inside(enter, 'chmod', '777', mountPoint);
    await cluster.ctl('namespace', 'set', 'default', '--bind-prefix', offered);
    await cluster.apply(oneService({
      name: 'stuck', script: 'while :; do echo x >> /disk/x; echo $(wc -c < /disk/x); sleep 0.05; done', more: [`volumes: ["${mountPoint}:/disk"]`],
    }));
    const [view] = await running(client, 'stuck');
    const pid = pidOf(view);
    await eventually('it writes', 60_000, async () => Number((await exec('stuck', 'wc -c < /disk/x')).output) > 4);
    inside(enter, 'fsfreeze', '-f', mountPoint);
    try {
      await eventually('it waits for the disk', 60_000, () => /^State:\s+D/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8')));
      await cluster.ctl('delete', 'app/stuck', '-y', '--detach');
      const told = await eventually('unkillable', 60_000, async () => (await client.view({ app: 'stuck' })).tasks.find(one => one.status?.reason === 'Unkillable'));
      t.regex(told.status?.message ?? '', /D state/);
      t.not(identityOf(pid), '');
      // The loop of every other task goes on.
      await withTask({ name: 'beside' }, () => Promise.resolve());
      t.is(readStarts(cluster.layout).filter(start => start.task === view?.task.id).length, 1);
    } finally {
      inside(enter, 'fsfreeze', '-u', mountPoint);
    }
    await eventually('its end after the thaw', 60_000, () => identityOf(pid) === '');
    await eventually('its task gone', 60_000, async () => (await client.view({ app: 'stuck' })).tasks.every(({ state }) => state === 'complete' || state === 'failed'));
    await settleNodes(cluster);
    await unmountDisk(mountPoint, enter);
    await cluster.ctl('namespace', 'set', 'default', '--clear-bind-prefixes');
  });
} else {
  test.skip(`r015: ${whyNoDisk}`, () => undefined);
}

bad('r017', async t => {
  await withTask({ name: 'alone' }, async () => {
    const seen = await exec('alone', `ps -o pid= | wc -l; kill -9 ${String(process.pid)}; ls -a /proc/1/root/www; ls -d /proc/${String(process.pid)}`);
    const [count = ''] = seen.output.split('\n');
    t.true(Number(count) < 10, seen.output);
    t.regex(seen.output, /No such process/);
    t.regex(seen.output, /^\.keep$/m, 'the root of its first process is its own');
    t.not(seen.exitCode, 0, 'a process of the machine is not listed');
  });
});

bad('r019', async t => {
  await withTask({ name: 'special' }, async () => {
    for (const script of ['mknod /tmp/sda b 8 0 && dd if=/tmp/sda of=/dev/null bs=1 count=1', ...['kmsg', 'mem', 'fuse', 'vsock', 'sda'].map(name => `head -c 1 /dev/${name}`)]) {
      const { exitCode, output } = await exec('special', script);
      t.not(exitCode, 0, script);
      t.regex(output, /Operation not permitted|No such file or directory/, script);
    }
  });
});

bad('r023', async t => {
  const swap = 'mkdir -p /data/sub/deep; while :; do mv /data/sub /data/kept && ln -s /etc /data/sub; rm /data/sub; mv /data/kept /data/sub; done';
  const canary = createHash('sha256').update(readFileSync('/etc/passwd')).digest('hex');
  const mounts = (): string => inside(['nsenter', `--mount=${cluster.layout.runDir}/mnt/n1`, '--'], 'cat', '/proc/self/mountinfo');
  const names = Array.from({ length: 8 }, (_, index) => `racer${String(index)}`);
  const racer = (name: string): string => job(name, 'hello:1', [
    'command: [/bin/sh, -c, "grep -c root:/root:/bin/bash /data/sub/passwd 2>/dev/null; touch /data/sub/deep/x; true"]',
    'volumes: ["data:/data", { type: tmpfs, target: /data/sub/deep, size: 1Mi }]',
  ]);
  await cluster.apply([
    `${HEAD}metadata: { name: race }\nservices:\n  swapper:\n    image: hello:1\n    command: [/bin/sh, -c, "${swap}"]\n    stop_grace_period: 1s\n    volumes: ["data:/data"]\n`,
    'volumes:\n  data: {}\n',
  ].join(''));
  await running(client, 'race');
  await cluster.apply(`${HEAD}metadata: { name: race }\nservices:\n  swapper:\n    image: hello:1\n    command: [/bin/sh, -c, "${swap}"]\n    stop_grace_period: 1s\n    volumes: ["data:/data"]\n${names.map(racer).join('')}volumes:\n  data: {}\n`);
  const ended = await eventually('every racer ended', 60_000, async () => {
    const { tasks } = await client.view({ app: 'race' });
    const over = tasks.filter(({ task, state }) => names.includes(task.service) && (state === 'complete' || state === 'failed'));
    return over.length === names.length && over;
  });
  for (const { task, state } of ended.filter(view => view.state === 'complete')) {
    // Its own accounts have another shell: only the machine's make a line of this.
    t.regex(await cluster.ctl('logs', `task/${task.id}`), /^0?\n?$/, state);
  }
  t.deepEqual(mounts().split('\n').filter(line => / \/etc(?:\/\S*)? - tmpfs/.test(line)), []);
  t.false(existsSync('/etc/deep'));
  t.is(createHash('sha256').update(readFileSync('/etc/passwd')).digest('hex'), canary);
  await cluster.ctl('delete', 'app/race', '-y');
  await cluster.tryCtl('volume', 'rm', 'data', '-y');
});

bad('r027', async t => {
  const port = 18_423;
  const inNode = ['nsenter', `--net=/run/netns/gantry-${cluster.name}-n1`, '--'] as const;
  await using holder = new SideProcess(...inNode, 'busybox', 'nc', '-l', '-p', String(port));
  await eventually('it listens', 60_000, () => run(...inNode, 'ss', '-ltn').includes(`:${String(port)}`));
  await eventually('the node reports it', 60_000, async () => (await cluster.items('node', 'ls')).some(item => (item['listeningPorts'] as readonly string[]).includes(`tcp/${String(port)}`)));
  const publishing = (name: string, mode: string): string => oneService({ name, more: [`ports: [{ published: ${String(port)}, target: 80, mode: ${mode} }]`] });
  const refused = await cluster.tryApply(publishing('everywhere', 'ingress'));
  t.regex(refused.stderr, new RegExp(`port ${String(port)}/tcp is in use on node n1 by a process that is not a task; choose another port or stop that process`));
  await cluster.apply(publishing('taken', 'host'), '--detach');
  await eventually('why says so', 60_000, async () => (await cluster.ctl('why', 'taken/main')).includes(`host port tcp/${String(port)} in use by a process that is not a task`));
  t.is((await client.view({ app: 'taken' })).tasks.length, 0, 'no task was placed');
  t.true(holder.pid > 0);
});

bad('r029', async t => {
  const fake = '2026-01-01T00:00:00.000000000Z stdout F fake';
  const script = [`printf '%s\\n' '${fake}'`, 'head -c 10000000 /dev/zero | tr "\\\\0" x', "printf '\\n\\033[31mred\\033[0m\\001\\377\\n'"].join('; ');
  await cluster.apply(`${HEAD}metadata: { name: loud }\nservices:\n${job('main', 'hello:1', [`command: [/bin/sh, -c, ${JSON.stringify(script)}]`, 'resources: { limits: { memory: 64Mi } }'])}`);
  const view = (await endsOf('loud', 1)).get('main');
  const text = await cluster.ctl('logs', `task/${view?.task.id ?? ''}`);
  const lines = text.split('\n');
  t.is(lines[0], fake);
  t.is(lines[1]?.length, 10_000_000);
  t.regex(lines[1] ?? '', /^x+$/);
  t.is(lines[2]?.slice(0, 13), '\x1b[31mred\x1b[0m\x01');
  const agentLog = readFileSync(`${cluster.layout.stateDir}/logs/n1.log`, 'utf8').trim().split('\n');
  t.deepEqual(agentLog.filter(line => !line.startsWith('{')), []);
  await cluster.ctl('delete', 'app/loud', '-y');
});

bad('r031', async t => {
  await cluster.apply(`${HEAD}metadata: { name: large }\nservices:\n${job('main', large, [])}`);
  const view = (await endsOf('large', 1)).get('main');
  t.is(view?.state, 'failed');
  t.is(view?.status?.lastExit?.code, 126);
  t.regex(view?.status?.message ?? '', /argument list too long/);
  const many = Array.from({ length: 10_000 }, (_, index) => `V${String(index)}: ${'x'.repeat(15)}`).join(', ');
  await cluster.apply(`${HEAD}metadata: { name: many }\nservices:\n${job('main', 'hello:1', ['command: [/bin/sh, -c, "env | grep -c ^V"]', `environment: { ${many} }`])}`);
  const kept = (await endsOf('many', 1)).get('main');
  t.is(await cluster.ctl('logs', `task/${kept?.task.id ?? ''}`), '10000\n', 'what the kernel takes runs');
  await cluster.ctl('delete', 'app/many', '-y');
  await cluster.ctl('delete', 'app/large', '-y');
});

test.serial('policies: privileged, binds and devices are closed by default, with the way to open them; opened, they work', async t => {
  const manifest = `${HEAD}metadata: { name: open }
services:
  main:
    image: hello:1
    command: [/bin/sh, -c, "trap 'exit 0' TERM; while :; do sleep 1; done"]
    stop_grace_period: 2s
    security: { profile: privileged, cap_add: [NET_ADMIN] }
    volumes: ["${offered}:/host:ro"]
    devices: ["/dev/full:/dev/mine"]
    dns: { servers: [10.9.9.9], search: [corp.example], options: ["ndots:3"] }
`;
  const refused = await cluster.tryApply(manifest);
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /manifest\.yaml:\d+:\d+ services\.main\.security\.profile: profile 'privileged' is not allowed in this Namespace.*namespace set/);
  t.regex(refused.stderr, /manifest\.yaml:\d+:\d+ services\.main\.volumes\[0\].*: host path '.*' is not allowed in this Namespace.*namespace set/);
  await cluster.ctl('namespace', 'set', 'default', '--profile', 'privileged', '--bind-prefix', offered);
  await cluster.apply(manifest);
  await running(client, 'open');
  const { output } = await exec('open', 'cat /host/greeting /etc/resolv.conf; echo x > /dev/mine; touch /host/x; ip link set lo down && echo downed; ip link set lo up');
  t.regex(output, /of the machine/);
  t.regex(output, /nameserver 10\.9\.9\.9/);
  t.regex(output, /search .*corp\.example/);
  t.regex(output, /ndots:3/);
  t.regex(output, /No space left on device/);
  t.regex(output, /\/host\/x: Read-only file system/);
  t.regex(output, /downed/);
  const [listed] = (await cluster.items('namespace', 'ls')).filter((item: Item) => item['name'] === 'default');
  t.like(listed, { profile: 'privileged', bindPrefixes: [offered] });
  await cluster.ctl('delete', 'app/open', '-y');
  await cluster.ctl('namespace', 'rm', 'default', '-y');
  t.is((await cluster.tryApply(manifest)).exitCode, 1);
  await settleNodes(cluster);
});

test.serial('tasks share a unit of a named device; one more than it has room for waits, and is told why', async t => {
  const manifest = (replicas: number): string => `${HEAD}metadata: { name: shared }
services:
  main:
    image: hello:1
    replicas: ${String(replicas)}
    command: [/bin/sh, -c, "trap 'exit 0' TERM; while :; do sleep 1; done"]
    stop_grace_period: 2s
    resources: { requests: { devices: { acme.com/dsp: 0.5 } } }
`;
  await cluster.apply(manifest(2));
  await running(client, 'shared', 2);
  t.regex((await exec('shared', 'echo x > /dev/full')).output, /No space left on device/);
  await cluster.ctl('scale', 'shared/main=3');
  const why = await eventually('the third waits', 60_000, async () => {
    const said = await cluster.ctl('why', 'svc/shared/main');
    return said.includes('not enough of device') ? said : undefined;
  });
  t.regex(why, /not enough of device acme\.com\/dsp free \(need 0\.5 of one, most free 0 on n1\)/);
  await cluster.ctl('delete', 'app/shared', '-y');
  await settleNodes(cluster);
});

test.serial('every case is run, here or elsewhere', t => {
  t.deepEqual([...CASES.keys()].filter(id => !ran.has(id) && !(id in ELSEWHERE) && !(id === 'r015' && whyNoDisk !== undefined)), []);
});

/** A root file system without accounts, and files that cannot be executed, each for a reason of its own. */
function oddLayer(): Buffer {
  const busybox = readFileSync('/bin/busybox');
  const foreign = Buffer.from(busybox.subarray(0, 4096));
  foreign.writeUInt16LE(243, 18); // RISC-V. Source: elf(5), e_machine
  return buildTar([
    { t: 'd', n: 'bin' }, { t: 'd', n: 'etc' }, { t: 'd', n: 'srv' }, { t: 'd', n: 'tmp', mode: 0o1777 }, { t: 'f', n: 'bin/busybox', data: busybox, mode: 0o755 },
    ...['sh', 'id', 'true'].map(name => ({ t: 'l', n: `bin/${name}`, ln: 'busybox' })),
    { t: 'f', n: 'srv/plain', data: busybox, mode: 0o644 }, { t: 'f', n: 'srv/foreign', data: foreign, mode: 0o755 }, { t: 'f', n: 'srv/script', data: '#!/bin/foo\n', mode: 0o755 },
  ]);
}
