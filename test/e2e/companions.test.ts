import { spawn } from 'node:child_process';
import { existsSync, globSync, readFileSync, readdirSync } from 'node:fs';
import test from 'ava';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';

/** What each container wrote is in its own log; `main` hands out what it knows of the others. */
const POD = `apiVersion: gantry/v1
kind: App
metadata: { name: pod }
services:
  web:
    image: hello:1
    init: true
    environment: { ROLE: main }
    command: [/bin/sh, -c, 'trap "exit 0" TERM; echo main; while :; do sleep 0.1; done']
    init_containers:
      - { name: first, command: [/bin/sh, -c, 'echo "first $(hostname)" > /shared/order; echo first'], volumes: ["shared:/shared"] }
      - { name: second, command: [/bin/sh, -c, 'cat /shared/order; echo second'], volumes: ["shared:/shared"] }
    sidecars:
      - { name: server, command: [/bin/sh, -c, 'echo "hello from the sidecar" > /www/side; exec httpd -f -p 127.0.0.1:9000 -h /www'] }
      - { name: flaky, command: [/bin/sh, -c, 'echo flaky run; sleep 0.2; exit 4'], restart: { delay: 100ms } }
  broken:
    kind: job
    image: hello:1
    job: { retries: 0 }
    command: [/bin/sh, -c, 'echo never']
    init_containers: [{ name: setup, command: [/bin/sh, -c, 'echo cannot >&2; exit 9'] }]
  batch:
    kind: job
    image: hello:1
    command: [/bin/sh, -c, 'until [ -e /shared/up ]; do sleep 0.1; done; echo done']
    volumes: ["shared:/shared"]
    sidecars: [{ name: helper, command: [/bin/sh, -c, 'trap "echo told; exit 0" TERM; echo up; touch /shared/up; while :; do sleep 0.1; done'], volumes: ["shared:/shared"] }]
volumes:
  shared: {}
`;

let cluster: DevCluster;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
  await cluster.apply(POD, '--detach');
  await eventually('the task of web', 60_000, async () => (await webTask())?.['state'] === 'running');
});

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

async function webTask(): Promise<Item | undefined> {
  return (await cluster.tasks('pod/web'))[0];
}

function containersOf(task: Item | undefined): readonly Item[] {
  return (task?.['containers'] ?? []) as readonly Item[];
}

async function ended(service: string): Promise<Item> {
  return await eventually(`the end of ${service}`, 60_000, async () =>
    (await cluster.items('ps', '-a')).find(task => task['service'] === service && task['finishedAt'] !== null && ['complete', 'failed'].includes(String(task['state']))));
}

test.serial('init containers run in order, with the task\'s name and volumes, each with a log of its own (root)', async t => {
  t.is(await cluster.ctl('logs', '-c', 'first', 'pod/web'), 'first\n');
  t.regex(await cluster.ctl('logs', '-c', 'second', 'pod/web'), /^first web-0-[a-z2-7]{5}\nsecond\n$/);
  await eventually('the line of main', 60_000, async () => await cluster.ctl('logs', 'pod/web') === 'main\n');
  t.deepEqual(containersOf(await webTask()).slice(0, 3).map(one => [one['name'], one['role'], one['state'], one['exitCode']]), [
    ['first', 'init', 'ended', 0], ['second', 'init', 'ended', 0], ['server', 'sidecar', 'running', null],
  ]);
});

test.serial('namespaces together with a sidecar: its processes, IPC objects and host name are seen, its files are not; a restart of either keeps it so (root)', async t => {
  const idle = "command: [/bin/sh, -c, 'trap \"exit 0\" TERM; while :; do sleep 0.1; done']";
  await cluster.apply(`apiVersion: gantry/v1
kind: App
metadata: { name: together }
services:
  web:
    image: hello:1
    ${idle}
    restart: { policy: always, delay: 10ms, max_attempts: 20 }
    security: { pid: 'sidecar:holder', ipc: 'sidecar:other', uts: 'sidecar:other', cgroup: 'sidecar:other' }
    sidecars:
      - { name: holder, command: [/bin/sh, -c, 'echo secret > /secret; trap "exit 3" TERM; sleep 4321 & wait'] }
      - { name: other, ${idle}, restart: { delay: 10ms } }
`, '--wait');
  const running = async (attempt: number): Promise<Item> => await eventually(`attempt ${String(attempt)} with both sidecars`, 60_000, async () => {
    const [task] = await cluster.tasks('together/web');
    return task?.['state'] === 'running' && task['attempt'] === attempt && containersOf(task).every(one => one['state'] === 'running') ? task : undefined;
  });
  const inside = async (container: string, ...command: readonly string[]): Promise<string> => (await cluster.tryCtl('exec', '-c', container, 'together/web', '--', ...command)).stdout.trim();
  const idOf = async (container: string, kind: string): Promise<string> => await inside(container, 'readlink', `/proc/self/ns/${kind}`);
  const alike = async (): Promise<void> => {
    for (const [kind, sidecar] of [['pid', 'holder'], ['ipc', 'other'], ['uts', 'other'], ['cgroup', 'other']] as const) {
      const own = await idOf('web', kind);
      t.regex(own, new RegExp(`^${kind}:`));
      t.is(own, await idOf(sidecar, kind), kind);
    }
  };
  await running(1);
  await alike();
  t.not(await idOf('web', 'mnt'), await idOf('holder', 'mnt'));
  t.not(await idOf('holder', 'ipc'), await idOf('web', 'ipc'), 'what was not asked for is private');
  t.regex(await inside('web', 'ps'), /sleep 4321/);
  t.is((await cluster.tryCtl('exec', 'together/web', '--', 'cat', '/secret')).exitCode, 1);

  const before = await idOf('web', 'ipc');
  await inside('other', 'sh', '-c', 'kill -TERM 1');
  await eventually('its next run', 60_000, async () => containersOf((await cluster.tasks('together/web'))[0]).some(one => one['name'] === 'other' && one['restarts'] === 1 && one['state'] === 'running'));
  await alike();
  t.is(await idOf('web', 'ipc'), before, 'the sidecar came back to the main container');

  await inside('holder', 'sh', '-c', 'kill -TERM 1');
  const again = await running(2);
  t.is(again['restarts'], 1, 'the kernel ended the main container with the process namespace, and both came back');
  await alike();
  await cluster.ctl('delete', 'app/together', '-y');
});

test.serial('a sidecar is on the task\'s loopback, in a file system and a process namespace of its own (root)', async t => {
  t.is(await cluster.ctl('exec', 'pod/web', '--', 'wget', '-qO-', 'http://127.0.0.1:9000/side'), 'hello from the sidecar\n');
  t.is((await cluster.tryCtl('exec', 'pod/web', '--', 'cat', '/www/side')).exitCode, 1);
  t.is(await cluster.ctl('exec', '-c', 'server', 'pod/web', '--', 'cat', '/www/side'), 'hello from the sidecar\n');
  t.notRegex(await cluster.ctl('exec', '-c', 'server', 'pod/web', '--', 'ps'), /echo main/);
  t.is((await cluster.ctl('cp', '-c', 'server', 'pod/web:/www/side', '-')).slice(512, 535), 'hello from the sidecar\n');
  t.is(await cluster.ctl('exec', 'pod/web', '--', 'sh', '-c', 'echo "<$ROLE>"'), '<main>\n');
  t.is(await cluster.ctl('exec', '-c', 'server', 'pod/web', '--', 'sh', '-c', 'echo "<$ROLE>"'), '<>\n', 'an environment of its own');
});

test.serial('a sidecar that dies is started again, and the task is never restarted for it (root)', async t => {
  const restarted = await eventually('restarts of flaky', 60_000, async () => {
    const task = await webTask();
    return Number(containersOf(task).find(one => one['name'] === 'flaky')?.['restarts']) >= 2 && task;
  });
  t.like(restarted, { state: 'running', attempt: 1, restarts: 0 });
  t.is(containersOf(restarted).find(one => one['name'] === 'flaky')?.['exitCode'], 4);
  t.is(await cluster.ctl('logs', '-c', 'flaky', '--previous', 'pod/web'), 'flaky run\n');
});

test.serial('a container that is not there is refused with those that are (root)', async t => {
  const refused = await cluster.tryCtl('exec', '-c', 'servr', 'pod/web', '--', 'true');
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /no container is named 'servr'; did you mean 'server'\?/);
});

test.serial('an init container that fails is the end of the task, and says so (root)', async t => {
  const task = await ended('broken');
  t.like(task, { state: 'failed', reason: 'init-failed', message: 'init container setup: exit code 9', exitCode: 9 });
  t.is((await cluster.tryCtl('logs', '-c', 'setup', `task/${String(task['id'])}`)).stderr, 'cannot\n');
  t.is(await cluster.ctl('logs', `task/${String(task['id'])}`), '');
});

test.serial('after the main container the sidecar is told to stop, and the job is complete (root)', async t => {
  const task = await ended('batch');
  t.like(task, { state: 'complete', exitCode: 0 });
  t.is(await cluster.ctl('logs', '-c', 'helper', `task/${String(task['id'])}`), 'up\ntold\n');
});

test.serial('init: true: no zombie stays (root)', async t => {
  const orphans = 'for i in 1 2 3 4 5 6 7 8; do (sleep 0.05 & exec true) & done; wait; exec true';
  await cluster.ctl('exec', 'pod/web', '--', 'sh', '-c', orphans);
  await eventually('all orphans reaped', 60_000, async () =>
    !/\bZ\b/.test(await cluster.ctl('exec', 'pod/web', '--', 'sh', '-c', 'cat /proc/[0-9]*/stat | cut -d" " -f3')));
  t.regex(await cluster.ctl('exec', 'pod/web', '--', 'cat', '/proc/1/cmdline'), /^\/run\/gantry-init\0--\0\/bin\/sh/);
});

test.serial('debug: another image in the network and among the processes of the task, and nothing of it stays (root)', async t => {
  const look = 'tr "\\0" " " < /proc/1/cmdline; ls -d /proc/1/root/www; cat /proc/1/root/proc/sys/kernel/hostname; echo "$KEY" >&2; exit 7';
  const looked = await cluster.tryCtl('debug', '--image', 'hello:1', '-e', 'KEY=v', 'pod/web', '--', 'sh', '-c', look);
  t.is(looked.exitCode, 7);
  t.regex(looked.stdout, /^\/run\/gantry-init -- \/bin\/sh [^\n]*\/proc\/1\/root\/www\nweb-0-/);
  t.is(looked.stderr, 'v\n');
  t.is(await cluster.ctl('debug', 'pod/web', '--image', 'hello:1', '--', 'wget', '-qO-', 'http://127.0.0.1:9000/side'), 'hello from the sidecar\n');
  t.regex(await cluster.ctl('debug', '-c', 'server', 'pod/web', '--image', 'hello:1', '--', 'tr', '\\0', ' ', '/proc/1/cmdline').catch(() => 'httpd'), /httpd/);
  t.is((await cluster.tryCtl('debug', 'pod/web', '--image', 'hello:1', '--', '/nope')).exitCode, 127);
  t.is((await cluster.tryCtl('debug', 'pod/web', '--image', 'nothing:1', '--', 'true')).exitCode, 125);
  t.like(await webTask(), { state: 'running', attempt: 1 });
});

test.serial('debug: a session that ends while the task is paused leaves it paused (root)', async t => {
  const before = await webTask();
  const session = spawn(cluster.program, ['debug', 'pod/web', '--image', 'hello:1', '--', 'sleep', '777'], { stdio: 'ignore', env: { ...process.env, ...cluster.environment } });
  t.teardown(() => { session.kill('SIGKILL'); });
  const seen = async (): Promise<string> => (await cluster.tryCtl('exec', 'pod/web', '--', 'sh', '-c', 'cat /proc/[0-9]*/cmdline')).stdout;
  const groups = globSync(`/sys/fs/cgroup/{,freezer/}${cluster.layout.nodes[0]?.scope ?? ''}/${String(before?.['id'])}`);
  const debuggers = (): readonly string[] => groups.flatMap(group => readdirSync(group).filter(name => /-d\d+$/.test(name)));
  await eventually('the debugger runs', 60_000, async () => debuggers().length > 0 && (await seen()).includes('sleep\x00777'));
  await cluster.ctl('pause', 'pod/web');
  session.kill('SIGKILL');
  await eventually('nothing of the debugger is left', 60_000, () => debuggers().length === 0);
  t.like(await webTask(), { state: 'paused' });
  t.true(groups.some(group => ['freezer.state', 'cgroup.events'].some(file => existsSync(`${group}/${file}`) && /^(?:FROZEN|frozen 1)$/m.test(readFileSync(`${group}/${file}`, 'utf8')))));
  await cluster.ctl('unpause', 'pod/web');
  await eventually('the task goes on', 60_000, async () => (await webTask())?.['state'] === 'running');
  t.like(await webTask(), { pid: before?.['pid'], attempt: 1, restarts: 0 });
});

test.serial('an agent that is killed adopts all containers of the task (root)', async t => {
  const before = await webTask();
  cluster.kill('n1');
  await eventually('the agent is back', 60_000, async () => (await cluster.items('get', 'nodes')).every(node => node['state'] === 'ready') && (await cluster.tryCtl('exec', 'pod/web', '--', 'true')).exitCode === 0);
  t.like(await webTask(), { pid: before?.['pid'], attempt: 1, restarts: 0 });
  t.is(await cluster.ctl('exec', 'pod/web', '--', 'wget', '-qO-', 'http://127.0.0.1:9000/side'), 'hello from the sidecar\n');
});
