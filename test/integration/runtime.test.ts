/** needs root, crun, runc, conmon, busybox: containers as the kernel runs them, the same facts for both runtimes. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ConmonRuntime } from '../../agent/runtime/conmon-process.ts';
import type { ContainerEnd } from '../../agent/runtime/ports.ts';
import { eventually, makeSandbox } from '../support/container-sandbox.ts';
import type { Sandbox } from '../support/container-sandbox.ts';
import { insidePrivateMounts } from '../support/private-mounts.ts';
import { untilNone } from '../support/until-none.ts';

const MIB = 1024 * 1024;
const NEVER = new AbortController().signal;
const sh = (script: string): { readonly command: readonly string[] } => ({ command: ['sh', '-c', script] });

if (insidePrivateMounts(import.meta.filename)) {
  const sandbox = makeSandbox('runtime');
  test.after.always('nothing is left: no record, group, process', async t => {
    t.deepEqual(await sandbox.runtime.list(), []);
    t.deepEqual(await sandbox.tearDown(), []);
  });
  for (const runtime of ['crun', 'runc']) {
    describeRuntime(sandbox, runtime);
  }
  describeTraps(sandbox);
}

function describeRuntime(sandbox: Sandbox, runtime: string): void {
  const title = (text: string): string => `needs root: ${runtime}: ${text}`;
  const id = (name: string): string => `${name}-${runtime}`;
  const finish = (name: string, overrides: Parameters<Sandbox['finish']>[1]): ReturnType<Sandbox['finish']> => sandbox.finish(id(name), overrides, { runtime });
  const run = (name: string, overrides: Parameters<Sandbox['run']>[1]): ReturnType<Sandbox['run']> => sandbox.run(id(name), overrides, { runtime });

  for (const code of [0, 7, 255]) {
    test.serial(title(`exit code ${String(code)} is told as it is`), async t => {
      const { end } = await finish(`exit${String(code)}`, sh(`exit ${String(code)}`));
      t.like(end, { code, isOomKilled: false });
    });
  }

  test.serial(title('a signal is 128 and its number, without the OOM mark'), async t => {
    await run('signal', sh('sleep 1000'));
    await sandbox.runtime.kill(id('signal'), 'KILL', false);
    t.like(await sandbox.endOf(id('signal')), { code: 137, isOomKilled: false });
    await sandbox.runtime.remove(id('signal'));
  });

  test.serial(title('TERM reaches the first process, which may take its time'), async t => {
    await run('term', sh('trap "exit 3" TERM; echo ready; while true; do sleep 0.05; done'));
    await eventually('its trap', () => Promise.resolve(sandbox.logOf(id('term')).includes('ready') ? true : undefined));
    await sandbox.runtime.kill(id('term'), 'TERM', false);
    t.is((await sandbox.endOf(id('term'))).code, 3);
    await sandbox.runtime.remove(id('term'));
  });

  test.serial(title('states go from created to running to stopped to absent'), async t => {
    t.is(await sandbox.runtime.state(id('states')), 'absent');
    await sandbox.create(id('states'), sh('sleep 1000'), { runtime });
    t.is(await sandbox.runtime.state(id('states')), 'created');
    await sandbox.runtime.start(id('states'));
    t.is(await sandbox.runtime.state(id('states')), 'running');
    await sandbox.runtime.kill(id('states'), 'KILL', true);
    await sandbox.endOf(id('states'));
    t.is(await sandbox.runtime.state(id('states')), 'stopped');
    await sandbox.runtime.remove(id('states'));
    t.is(await sandbox.runtime.state(id('states')), 'absent');
    await t.notThrowsAsync(sandbox.runtime.remove(id('states')));
  });

  test.serial(title('a container of a paused task is taken away like any other'), async t => {
    const name = `gantry-aaaabbbbcccc-${runtime}`;
    for (let round = 0; round < 20; round += 1) {
      await sandbox.run(name, sh('sleep 1000'), { runtime });
      await sandbox.cgroups.freeze(name); // while it forks: a freezer of version 1 gets stuck now and then
      await sandbox.runtime.remove(name);
      t.is(await sandbox.runtime.state(name), 'absent');
      t.deepEqual(await sandbox.cgroups.processes(name), []);
    }
  });

  test.serial(title('kill with everyProcess leaves no process of the group'), async t => {
    await run('killall', sh('for i in $(seq 20); do sleep 1000 & done; trap "" TERM; wait'));
    await eventually('its children', async () => ((await sandbox.cgroups.usage(id('killall')))?.processes ?? 0) > 15 || undefined);
    await sandbox.runtime.kill(id('killall'), 'KILL', true);
    t.deepEqual(await sandbox.cgroups.processes(id('killall')), []);
    await eventually('the monitor to reap it', async () => (await sandbox.cgroups.usage(id('killall')))?.processes === 0 || undefined);
    t.is((await sandbox.endOf(id('killall'))).code, 137);
    await sandbox.runtime.remove(id('killall'));
  });

  test.serial(title('a container over its memory is told as OOM killed'), async t => {
    const { end } = await finish('oom', { ...sh('tr "\\0" x < /dev/zero | head -c 100000000 | tail -c 90000000; exec dd if=/dev/zero of=/dev/shm/x bs=1M count=60'), limits: { memoryBytes: 24 * MIB, pids: 64 }, shmSizeBytes: 64 * MIB });
    t.deepEqual([end.code, end.isOomKilled], [137, true]);
  });

  test.serial(title('the process limit holds, and the rest goes on'), async t => {
    const { output } = await finish('pids', { ...sh('for i in $(seq 40); do sleep 5 & done; echo done'), limits: { memoryBytes: 64 * MIB, pids: 10 } });
    t.regex(output, /fork: (?:Resource temporarily unavailable|retry)|can't fork/);
  });

  test.serial(title('a failed create leaves nothing'), async t => {
    await t.throwsAsync(sandbox.create(id('fails'), { command: ['/no/such/program'] }, { runtime }).then(() => sandbox.runtime.start(id('fails'))));
    await sandbox.runtime.remove(id('fails'));
    t.false((await sandbox.runtime.list()).includes(id('fails')));
    t.deepEqual((await sandbox.cgroups.list()).filter(name => name === id('fails')), []);
  });

  test.serial(title('an end that nobody watched is found by the next agent'), async t => {
    await run('unwatched', sh('exit 9'));
    await sandbox.endOf(id('unwatched'));
    const next = new ConmonRuntime(sandbox.options);
    t.is((await next.readEnd(id('unwatched')))?.code, 9);
    t.true((await next.list()).includes(id('unwatched')));
    await next.remove(id('unwatched'));
  });

  test.serial(title('ends tells each end once, as it happens'), async t => {
    const stop = new AbortController();
    const ends = sandbox.runtime.ends(stop.signal)[Symbol.asyncIterator]();
    await run('told', sh('exit 4'));
    t.like((await ends.next()).value as object, { id: id('told'), end: { code: 4 } });
    await run('told2', sh('exit 5'));
    t.like((await ends.next()).value as object, { id: id('told2'), end: { code: 5 } });
    stop.abort();
    t.true((await ends.next()).done);
    await Promise.all(['told', 'told2'].map(name => sandbox.runtime.remove(id(name))));
  });

  test.serial(title('a killed monitor is told, the container is ended'), async t => {
    const stop = new AbortController();
    const { container, monitor } = await run('lost', sh('trap "" PIPE; while true; do sleep 1; done'));
    const ends = sandbox.runtime.ends(stop.signal)[Symbol.asyncIterator]();
    process.kill(monitor.pid, 'SIGKILL');
    t.is(await sandbox.runtime.readEnd(id('lost')), undefined, 'not while the container runs');
    const told = await Promise.race([ends.next(), new Promise<undefined>(resolve => { setTimeout(resolve, 15_000, undefined); })]);
    t.like(told?.value as { readonly end: ContainerEnd }, { id: id('lost'), end: { code: null, reason: 'its monitor was lost' } });
    t.false(await sandbox.runtime.isAlive(container));
    stop.abort();
    await sandbox.runtime.remove(id('lost'));
  });

  test.serial(title('20 containers created at once all run'), async t => {
    const names = Array.from({ length: 20 }, (_, index) => `many${String(index)}`);
    await Promise.all(names.map(name => run(name, sh('sleep 1000'))));
    t.deepEqual(await Promise.all(names.map(name => sandbox.runtime.state(id(name)))), names.map(() => 'running'));
    await Promise.all(names.map(name => sandbox.runtime.remove(id(name))));
    t.deepEqual((await sandbox.runtime.list()).filter(name => name.startsWith('many')), []);
  });

  test.serial(title('the agent waits for no child and keeps no zombie'), async t => {
    t.deepEqual(await untilNone(() => execFileSync('ps', ['-o', 'stat=', '--ppid', String(process.pid)], { encoding: 'utf8' }).split('\n').filter(state => state.startsWith('Z'))), []);
  });

  test.serial(title('baseline: what is refused, masked, set'), async t => {
    const script = [
      'unshare -m true 2>&1', 'unshare -U true 2>&1', 'mount -t tmpfs x /tmp 2>&1', 'hostname other 2>&1', 'cat /proc/kcore 2>&1 | head -c 1 | wc -c',
      'cat /proc/keys | wc -c', 'ls /sys/firmware | wc -l', 'echo 1 > /proc/sys/kernel/panic', 'touch /sys/x 2>&1', 'grep -E "NoNewPrivs|Seccomp:|CapEff|CapAmb" /proc/self/status',
      'cat /proc/sys/net/ipv4/ip_unprivileged_port_start', 'cat /proc/self/oom_score_adj', 'echo $GANTRY_APP/$GANTRY_FENCE/$FROM_IMAGE', 'cat /proc/self/limits | grep -E "core|locked"',
    ].join('; ');
    const { output } = await finish('refused', sh(script));
    t.log(output);
    t.is(output.match(/unshare: .*Operation not permitted/g)?.length, 2);
    t.regex(output, /mount: .*(?:permission denied|Operation not permitted)/i);
    t.regex(output, /sethostname: Operation not permitted/);
    t.regex(output, /NoNewPrivs:\s+1/);
    t.regex(output, /Seccomp:\s+2/);
    t.regex(output, /CapEff:\s+00000000800405fb/);
    t.regex(output, /CapAmb:\s+0000000000000000/);
    t.regex(output, /panic: Read-only file system/);
    t.regex(output, /shop\/7\/1/);
    t.regex(output, /Max core file size\s+0\s+0/);
    t.regex(output, /Max locked memory\s+65536\s+65536/);
  });

  test.serial(title('restricted: a user without rights, a read-only root, a small /tmp'), async t => {
    const { output } = await finish('restricted', {
      ...sh('id; touch /x 2>&1; touch /tmp/x && echo wrote; grep CapBnd /proc/self/status; nc -l -p 80 -w 1 < /dev/null 2>&1; echo port $?'),
      security: { profile: 'restricted', user: 'web', readOnly: false, capAdd: [], capDrop: [], hostNamespaces: [], mayGainPrivileges: false, isUnconfined: false },
    });
    t.regex(output, /uid=33\(web\) gid=34\(www\) groups=(?:34\(www\),)?50\(extra\)/);
    t.regex(output, /\/x: Read-only file system/);
    t.regex(output, /wrote/);
    t.regex(output, /CapBnd:\s+0000000000000000/);
    t.notRegex(output, /bind: Permission denied/);
  });

  test.serial(title('init: true puts a reaper at pid 1 that passes the exit code on'), async t => {
    const { end, output } = await finish('init', { ...sh('cat /proc/1/comm; (sleep 0.01 &) ; exit 6'), init: true });
    t.is(end.code, 6);
    t.regex(output, /tini|gantry-init/);
  });
}

function describeTraps(sandbox: Sandbox): void {
  for (const hostile of ['.', '..', '../x', '', 'a/b', '-f', 'A', 'a'.repeat(64)]) {
    test.serial(`needs root: id ${JSON.stringify(hostile.slice(0, 10))} never reaches a runtime`, async t => {
      const beside = `${sandbox.directory}/state/crun/beside`;
      mkdirSync(beside, { recursive: true });
      for (const call of [
        () => sandbox.runtime.remove(hostile), () => sandbox.runtime.start(hostile), () => sandbox.runtime.state(hostile),
        () => sandbox.runtime.kill(hostile, 'KILL', false), () => sandbox.runtime.kill(hostile, 'KILL', true), () => sandbox.runtime.readEnd(hostile),
      ]) {
        await t.throwsAsync(call, { instanceOf: RangeError });
      }
      t.true(existsSync(beside));
    });
  }

  test.serial('needs root: crun delete -f .. removes what is beside its root, which is why ids are checked', t => {
    const root = `${sandbox.directory}/trap/root`;
    mkdirSync(root, { recursive: true });
    writeFileSync(`${sandbox.directory}/trap/beside`, 'precious');
    execFileSync('crun', ['--root', root, 'delete', '-f', '..']);
    t.false(existsSync(`${sandbox.directory}/trap/beside`));
  });

  test.serial('needs root: without its exit directory nothing is created, since the code would be lost', async t => {
    const options = { ...sandbox.options, stateDir: `${sandbox.directory}/state2` };
    const runtime = new ConmonRuntime(options);
    execFileSync('rmdir', [`${options.stateDir}/exits`]);
    const bundlePath = sandbox.bundleOf('noexit');
    mkdirSync(bundlePath, { recursive: true });
    await t.throwsAsync(runtime.create({ id: 'noexit', runtime: 'crun', bundlePath, configJson: '{}', logPath: `${bundlePath}/log`, terminal: false, stdin: false }, NEVER), { code: 'FAILED_PRECONDITION', message: /exits is not a directory that can be written/ });
    t.false(existsSync(`${bundlePath}/config.json`));
  });

  test.serial('needs root: an OOM in a child alone is not the container\'s end', async (t: ExecutionContext) => {
    await sandbox.run('childoom', { ...sh('(dd if=/dev/zero of=/dev/shm/x bs=1M count=60) ; rm -f /dev/shm/x; sleep 1; exit 5'), limits: { memoryBytes: 24 * MIB, pids: 64 } });
    t.like(await sandbox.endOf('childoom'), { code: 5, isOomKilled: false });
    // conmon notes it in its working directory too, which is the bundle and nothing of ours.
    t.true(existsSync(`${sandbox.bundleOf('childoom')}/oom`));
    t.true(readFileSync(`${sandbox.bundleOf('childoom')}/config.json`, 'utf8').includes('"limit"'));
    await sandbox.runtime.remove('childoom');
  });
}
