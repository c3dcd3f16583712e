/** needs root: exec and attach against real containers, both runtimes. */
import { readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { systemClock } from '#kit/clock.ts';
import { ConmonRuntime } from '../../agent/runtime/conmon-process.ts';
import type { ExecRequest, ProcessStreams } from '../../agent/runtime/ports.ts';
import { eventually, makeSandbox } from '../support/container-sandbox.ts';
import type { Sandbox } from '../support/container-sandbox.ts';
import { insidePrivateMounts } from '../support/private-mounts.ts';

const NEVER = new AbortController().signal;
const MIB = 1024 * 1024;

interface Collected { readonly stdout: string; readonly stderr: string; readonly code: number | null }

async function collect(streams: ProcessStreams): Promise<Collected> {
  const parts: Record<'stdout' | 'stderr', Uint8Array[]> = { stdout: [], stderr: [] };
  for await (const { stream, bytes } of streams.output) {
    parts[stream].push(bytes);
  }
  const { code } = await streams.ended;
  return { stdout: Buffer.concat(parts.stdout).toString('utf8'), stderr: Buffer.concat(parts.stderr).toString('utf8'), code };
}

function nameOf(pid: number): string {
  return readFileSync(`/proc/${String(pid)}/comm`, 'utf8').trim();
}

/** Bytes that its write calls took. Source: proc_pid_io(5), wchar */
function writtenBy(pid: number): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${String(pid)}/io`, 'utf8'))?.[1]);
}

if (insidePrivateMounts(import.meta.filename)) {
  const sandbox = makeSandbox('exec');
  test.after.always('nothing is left', async t => { t.deepEqual(await sandbox.tearDown(), []); });
  for (const runtime of ['crun', 'runc']) {
    describeExec(sandbox, runtime);
    describeAttach(sandbox, runtime);
  }
}

function describeExec(sandbox: Sandbox, runtime: string): void {
  const title = (text: string): string => `needs root: ${runtime}: exec: ${text}`;
  const id = `host-${runtime}`;
  const exec = (request: Partial<ExecRequest> & { readonly command: readonly string[] }): Promise<ProcessStreams> =>
    sandbox.runtime.exec(id, { tty: false, stdin: false, environment: [], ...request }, NEVER);
  const sh = async (script: string, request: Partial<ExecRequest> = {}): Promise<Collected> => collect(await exec({ ...request, command: ['sh', '-c', script] }));

  test.serial(title('the container to exec in runs'), async t => {
    await sandbox.run(id, { command: ['sleep', '1000'] }, { runtime });
    t.is(await sandbox.runtime.state(id), 'running');
  });
  for (const code of [0, 5, 255]) {
    test.serial(title(`exit code ${String(code)}`), async t => { t.is((await sh(`exit ${String(code)}`)).code, code); });
  }
  test.serial(title('a signal is 128 and its number'), async t => { t.is((await sh('kill -TERM $$')).code, 143); });
  test.serial(title('a command that is not there is 126, as docker has it, with the reason'), async t => {
    t.like(await collect(await exec({ command: ['nope'] })), { code: 126, stdout: '' });
  });
  test.serial(title('stdout and stderr apart, UTF-8 whole'), async t => {
    t.deepEqual(await sh('echo größe; echo fehler >&2'), { stdout: 'größe\n', stderr: 'fehler\n', code: 0 });
  });
  test.serial(title('environment, working directory, user by name'), async t => {
    const { stdout } = await sh('echo $A:$GANTRY_SERVICE; pwd; id; grep CapEff /proc/self/status', { environment: [{ name: 'A', value: 'b=c' }], workingDir: '/tmp', user: 'web' });
    t.regex(stdout, /^b=c:web\n\/tmp\nuid=33\(web\) gid=34\(www\) groups=(?:34\(www\),)?50\(extra\)\nCapEff:\s+0000000000000000\n$/);
  });
  test.serial(title('a numeric user is that number, not root'), async t => { t.regex((await sh('id', { user: '1234' })).stdout, /^uid=1234 gid=0/); });
  test.serial(title('accounts are read from small files of the container only'), async t => {
    const [etc, hostile] = [`${sandbox.directory}/rootfs/etc`, `hostile-${runtime}`];
    await sandbox.run(hostile, { command: ['sh', '-c', 'sleep 1000; true', '\ntrap:x:77:77::/:\n'] }, { runtime });
    const idOf = async (user: string): Promise<string> => (await collect(await sandbox.runtime.exec(hostile, { command: ['id'], user, tty: false, stdin: false, environment: [] }, NEVER))).stdout;
    renameSync(`${etc}/passwd`, `${etc}/kept`);
    writeFileSync(`${etc}/accounts`, 'trap:x:77:77::/:\n');
    writeFileSync(`${etc}/large`, `${'x'.repeat(MIB)}\ntrap:x:77:77::/:\n`);
    symlinkSync('accounts', `${etc}/passwd`);
    t.regex(await idOf('trap'), /^uid=77/);
    for (const target of ['/proc/1/cmdline', '/dev/zero', '/etc/large', '/etc', 'passwd']) {
      rmSync(`${etc}/passwd`);
      symlinkSync(target, `${etc}/passwd`);
      await t.throwsAsync(idOf('trap'), { code: 'INVALID_ARGUMENT', message: /not in its \/etc\/passwd/ }, target);
    }
    renameSync(`${etc}/kept`, `${etc}/passwd`);
    t.regex(await idOf('web'), /^uid=33/);
    await sandbox.runtime.remove(hostile);
  });
  for (const user of ['4294967295', '2147483648', 'nobody-here', '', 'a:b:c']) {
    test.serial(title(`user ${JSON.stringify(user)} is refused`), async t => {
      await (user === '' ? t.notThrowsAsync(sh('id', { user })) : t.throwsAsync(sh('id', { user }), { code: 'INVALID_ARGUMENT' }));
    });
  }
  test.serial(title('the same walls as the container'), async t => {
    const { stderr, stdout } = await sh('unshare -U true; mount -t tmpfs x /tmp; grep -E "Seccomp:|NoNewPrivs|CapEff" /proc/self/status');
    t.regex(stderr, /unshare: .*Operation not permitted/);
    t.regex(stdout, /CapEff:\s+00000000800405fb\nNoNewPrivs:\s+1\nSeccomp:\s+2/);
  });
  test.serial(title('stdin reaches it and ends'), async t => {
    const streams = await exec({ command: ['cat'], stdin: true });
    const collected = collect(streams);
    await streams.write(Buffer.from('one\n'));
    await streams.write(Buffer.from('two\n'));
    await streams.closeInput();
    t.deepEqual(await collected, { stdout: 'one\ntwo\n', stderr: '', code: 0 });
  });
  test.serial(title('10 MB each way without a lost byte'), async t => {
    const streams = await exec({ command: ['cat'], stdin: true });
    const collected = collect(streams);
    const block = Buffer.alloc(1_000_000, 'abcdefgh');
    for (let index = 0; index < 10; index += 1) {
      await streams.write(block);
    }
    await streams.closeInput();
    const { stdout, code } = await collected;
    t.is(code, 0);
    t.true(stdout === block.toString('utf8').repeat(10));
  });
  test.serial(title('a terminal: echo, size at start and after resize, ^D, its exit code'), async t => {
    const streams = await exec({ command: ['sh', '-c', 'stty size; while read x && test "$x" != go; do stty size; done; cat; exit 4'], tty: true, stdin: true, size: { columns: 91, rows: 31 } });
    let seen = '';
    const reading = (async () => { for await (const { bytes } of streams.output) seen += Buffer.from(bytes).toString('utf8'); })();
    // The runtime tells sizes a moment later than the process starts: it is asked until it knows.
    const askUntil = (size: string): Promise<true> => eventually(size, async () => {
      await streams.write(Buffer.from('grün\n'));
      await systemClock.sleep(50, NEVER);
      return seen.includes(`${size}\r\n`) || undefined;
    });
    await askUntil('31 91');
    await streams.resize({ columns: 120, rows: 50 });
    await askUntil('50 120');
    t.true(seen.includes('grün\r\n'));
    await streams.write(Buffer.from('go\ntyped\n'));
    await eventually('the echo of cat', () => Promise.resolve(/typed\r\n(?:.|\s)*typed\r\n$/.test(seen) || undefined));
    await streams.closeInput();
    await reading;
    t.is((await streams.ended).code, 4);
  });
  test.serial(title('10 MB out of a terminal, and a last word'), async t => {
    const { stdout, code } = await collect(await exec({ command: ['head', '-c', '10000000', '/dev/zero'], tty: true }));
    t.deepEqual([stdout.length, code], [10_000_000, 0]);
    for (let round = 0; round < 20; round += 1) {
      const { stdout: last, ...rest } = await sh('echo last', { tty: true });
      // runc clears ONLCR of the new terminal only after the program's start: what is written before has one carriage return more. Source: runc, tty.go, recvtty
      t.regex(last, runtime === 'runc' ? /^last\r{1,2}\n$/ : /^last\r\n$/);
      t.deepEqual(rest, { stderr: '', code: 0 });
    }
  });
  test.serial(title('a signal reaches the process before the runtime told its pid'), async t => {
    const lateTeller = `${sandbox.directory}/late-${runtime}`;
    writeFileSync(lateTeller, `#!/bin/bash
words=("$@")
for index in "\${!words[@]}"; do
  if [ "\${words[index]}" = --pid-file ]; then file=\${words[index + 1]}; words[index + 1]=$file.early; fi
done
(exec 0<&- 1>&- 2>&- 3>&-; sleep 1; mv "$file.early" "$file") &
exec ${sandbox.options.programs.get(runtime) ?? ''} "\${words[@]}"
`, { mode: 0o755 });
    const late = new ConmonRuntime({ ...sandbox.options, programs: new Map([[runtime, lateTeller]]) });
    const streams = await late.exec(id, { command: ['sleep', '1000'], tty: false, stdin: false, environment: [] }, NEVER);
    const collected = collect(streams);
    await streams.signal('KILL');
    t.is((await collected).code, 137);
  });
  test.serial(title('execs of an agent that died are ended by the next one, their files go, and nothing else of the container ends'), async t => {
    const [piped, typed] = [await exec({ command: ['sleep', '1000'], stdin: true }), await exec({ command: ['sleep', '1000'], tty: true })];
    await eventually('both sleep', async () => (await sandbox.cgroups.processes(id)).length === 3 || undefined);
    const files = (): readonly string[] => readdirSync(`${sandbox.options.stateDir}/records/${id}`).filter(name => name.startsWith('exec-'));
    await eventually('both have told their pid', () => Promise.resolve(files().filter(name => name.endsWith('.pid')).length === 2 || undefined));
    await new ConmonRuntime(sandbox.options).endAbandonedExecs();
    t.deepEqual(files(), []);
    await Promise.all([collect(piped), collect(typed)]);
    t.is((await sandbox.cgroups.processes(id)).length, 1);
    t.is(await sandbox.runtime.state(id), 'running');
  });
  if (runtime === 'crun') {
    test.serial(title('closed before the runtime told the process, which it never does: runtime and process are ended'), async t => {
      const silent = `${sandbox.directory}/silent-${runtime}`;
      writeFileSync(silent, `#!/bin/bash
words=("$@")
for index in "\${!words[@]}"; do
  if [ "\${words[index]}" = --pid-file ]; then words[index + 1]=/dev/null; fi
done
exec ${sandbox.options.programs.get(runtime) ?? ''} "\${words[@]}"
`, { mode: 0o755 });
      const mute = new ConmonRuntime({ ...sandbox.options, programs: new Map([[runtime, silent]]) });
      const streams = await mute.exec(id, { command: ['sleep', '1000'], tty: false, stdin: false, environment: [] }, NEVER);
      await eventually('it sleeps', async () => (await sandbox.cgroups.processes(id)).length === 2 || undefined);
      streams.close();
      t.is((await streams.ended).code, 126);
      await eventually('its end', async () => (await sandbox.cgroups.processes(id)).length === 1 || undefined);
    });
  }
  test.serial(title('a signal reaches the process'), async t => {
    const streams = await exec({ command: ['sh', '-c', 'trap "exit 9" USR1; echo up; while true; do sleep 0.05; done'] });
    const output = streams.output[Symbol.asyncIterator]();
    t.is(Buffer.from(((await output.next()).value as { readonly bytes: Uint8Array }).bytes).toString('utf8'), 'up\n');
    await streams.signal('USR1');
    t.true((await output.next()).done);
    t.is((await streams.ended).code, 9);
  });
  test.serial(title('what nobody reads is not written; close ends the process'), async t => {
    const streams = await exec({ command: ['yes'] });
    const pid = await eventually('yes', async () => (await sandbox.cgroups.processes(id)).find(one => nameOf(one) === 'yes'));
    const written = await eventually('yes waits for a reader', async () => {
      const before = writtenBy(pid);
      await systemClock.sleep(300, NEVER);
      return before > 0 && writtenBy(pid) === before ? before : undefined;
    });
    t.true(written < 10 * MIB, `${String(written)} bytes, of the gigabyte that it writes a second`);
    streams.close();
    await eventually('yes gone', async () => (await sandbox.cgroups.usage(id))?.processes === 1 || undefined);
    t.is((await streams.ended).code, 137);
  });
  test.serial(title('the container ends, its processes with it'), async t => {
    const streams = await exec({ command: ['sleep', '1000'] });
    const collected = collect(streams);
    await sandbox.runtime.remove(id);
    t.not((await collected).code, 0);
    await t.throwsAsync(exec({ command: ['true'] }), { code: 'FAILED_PRECONDITION' });
  });
}

function describeAttach(sandbox: Sandbox, runtime: string): void {
  const title = (text: string): string => `needs root: ${runtime}: attach: ${text}`;

  test.serial(title('a terminal: size, input, echo, exit code'), async t => {
    const id = `tty-${runtime}`;
    // Until the terminal has a size, stty complains.
    const sized = 'until test "$(stty size 2>/dev/null)" = "44 99"; do sleep 0.05; done';
    await sandbox.create(id, { command: ['sh', '-c', `${sized}; read x; stty size; echo got $x; exit 3`], tty: true, stdin: true }, { runtime });
    const streams = await sandbox.runtime.attach(id, NEVER);
    await sandbox.runtime.start(id);
    const collected = collect(streams);
    await streams.resize({ columns: 99, rows: 44 });
    await streams.write(Buffer.from('grün\n'));
    t.deepEqual(await collected, { stdout: 'grün\r\n44 99\r\ngot grün\r\n', stderr: '', code: 3 });
    await sandbox.runtime.remove(id);
  });

  test.serial(title('5 MB in and out, and the end of stdin'), async t => {
    const id = `cat-${runtime}`;
    await sandbox.create(id, { command: ['cat'], stdin: true }, { runtime });
    const streams = await sandbox.runtime.attach(id, NEVER);
    await sandbox.runtime.start(id);
    const collected = collect(streams);
    const block = Buffer.alloc(1_000_000, '12345678');
    for (let index = 0; index < 5; index += 1) {
      await streams.write(block);
    }
    await streams.closeInput();
    const { stdout, code } = await collected;
    t.is(code, 0);
    t.true(stdout === block.toString('utf8').repeat(5));
    await sandbox.runtime.remove(id);
  });

  test.serial(title('the exit code of a container that is taken away as soon as it ended'), async t => {
    for (let round = 0; round < 25; round += 1) {
      const id = `gone-${runtime}-${String(round)}`;
      await sandbox.create(id, { command: ['sh', '-c', 'exit 5'] }, { runtime });
      const streams = await sandbox.runtime.attach(id, NEVER);
      const collected = collect(streams);
      await sandbox.runtime.start(id);
      await eventually('its end', async () => await sandbox.runtime.readEnd(id));
      await sandbox.runtime.remove(id);
      t.is((await collected).code, 5);
    }
  });

  test.serial(title('detach leaves it running; a new agent attaches again'), async t => {
    const id = `again-${runtime}`;
    await sandbox.run(id, { command: ['sh', '-c', 'read x; echo $x; exit 2'], tty: true, stdin: true }, { runtime });
    (await sandbox.runtime.attach(id, NEVER)).close();
    const next = await new ConmonRuntime(sandbox.options).attach(id, NEVER);
    const collected = collect(next);
    await next.write(Buffer.from('hello\n'));
    t.is((await collected).code, 2);
    await sandbox.runtime.remove(id);
  });

  test.serial(title('an attachment that nobody reads holds up neither the container nor its log, and does not grow the agent'), async t => {
    const id = `unread-${runtime}`;
    await sandbox.create(id, { command: ['sh', '-c', 'yes 0123456789012345678901234567890123456789 | head -c 40000000'] }, { runtime });
    const streams = await sandbox.runtime.attach(id, NEVER);
    const before = process.memoryUsage().arrayBuffers;
    await sandbox.runtime.start(id);
    t.is((await sandbox.endOf(id)).code, 0);
    t.true(process.memoryUsage().arrayBuffers - before < 5 * MIB);
    streams.close();
    await sandbox.runtime.remove(id);
  });
}
