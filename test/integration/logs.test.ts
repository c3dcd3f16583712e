/** needs root: logs as conmon writes them: read, followed, rotated under load. */
import { existsSync, readdirSync, renameSync } from 'node:fs';
import test from 'ava';
import { systemClock } from '#kit/clock.ts';
import { readLog } from '../../agent/logs/log-fs.ts';
import type { LogQuery } from '../../agent/logs/log-fs.ts';
import { ConmonRuntime } from '../../agent/runtime/conmon-process.ts';
import { eventually, makeSandbox } from '../support/container-sandbox.ts';
import { insidePrivateMounts } from '../support/private-mounts.ts';

const NEVER = new AbortController().signal;
const ENDED = AbortSignal.abort();
const KIB = 1024;

async function textOf(path: string, query: LogQuery, ended: AbortSignal = ENDED): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const records of readLog(path, query, { ended, clock: systemClock }, NEVER)) {
    parts.push(...records.map(record => record.bytes));
  }
  return Buffer.concat(parts).toString('utf8');
}

if (insidePrivateMounts(import.meta.filename)) {
  const sandbox = makeSandbox('logs');
  const runtime = new ConmonRuntime(sandbox.options);
  test.after.always('nothing is left', async t => { t.deepEqual(await sandbox.tearDown(), []); });

  test.serial('needs root: UTF-8 and a last line without newline come as written', async t => {
    const { monitor } = await sandbox.run('plain', { command: ['sh', '-c', 'echo grüße; printf "end"'] });
    await eventually('conmon gone', async () => await runtime.isAlive(monitor) ? undefined : true);
    const path = `${sandbox.bundleOf('plain')}/log`;
    t.is(await textOf(path, { follow: false }), 'grüße\nend');
    t.is(await textOf(path, { follow: false, tail: 0 }), '');
    await runtime.remove('plain');
  });

  test.serial('needs root: a follower sees 200,000 lines in order, none lost, none twice, across rotations', async t => {
    const count = 200_000;
    const { monitor } = await sandbox.create('fast', { command: ['sh', '-c', `seq 1 ${String(count)}; exit 0`] });
    const path = `${sandbox.bundleOf('fast')}/log`;
    const ended = new AbortController();
    const followed = textOf(path, { follow: true }, ended.signal);
    await runtime.start('fast');
    let rotations = 0;
    const rotating = (async () => {
      while (!ended.signal.aborted) {
        await runtime.rotateLogs(4096 * KIB);
        await systemClock.sleep(5, NEVER);
        rotations += 1;
      }
    })();
    await sandbox.endOf('fast');
    await eventually('conmon gone', async () => await runtime.isAlive(monitor) ? undefined : true);
    ended.abort();
    await rotating;
    const lines = (await followed).split('\n');
    t.is(lines.length, count + 1);
    t.is(lines.findIndex((line, index) => index < count && line !== String(index + 1)), -1);
    t.is((await textOf(path, { follow: false })).split('\n').length, count + 1, 'three files keep all of it');
    t.true(rotations > 0);
    t.true(readdirSync(sandbox.bundleOf('fast')).filter(name => name.startsWith('log.')).length >= 1, 'it did rotate');
    t.is(await textOf(path, { follow: false, tail: 3 }), `${String(count - 2)}\n${String(count - 1)}\n${String(count)}\n`);
    await runtime.remove('fast');
  });

  test.serial('needs root: a long line comes whole, a crash between rename and reopen heals', async t => {
    await sandbox.run('long', { stdin: true, command: ['sh', '-c', 'head -c 100000 /dev/zero | tr "\\0" x; echo; cat >/dev/null; echo after'] });
    const path = `${sandbox.bundleOf('long')}/log`;
    await eventually('the line', async () => (await textOf(path, { follow: false })).length === 100_001 || undefined);
    renameSync(path, `${path}.1`);
    await runtime.rotateLogs(512 * KIB);
    await eventually('a new log', () => Promise.resolve(existsSync(path) || undefined));
    t.is((await textOf(path, { follow: false, tail: 1 })).length, 100_001);
    await runtime.remove('long');
  });
}
