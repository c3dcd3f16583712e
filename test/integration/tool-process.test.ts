/** Programs of the runtime that do not end as they should. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { runTool } from '../../agent/runtime/tool-process.ts';
import { eventually } from '../support/dev-cluster.ts';

/** Long enough for a shell to begin on a busy machine. */
const LIMIT_MS = 5_000;

const shell = async (script: string, timeoutMs: number): ReturnType<typeof runTool> => await runTool('/bin/sh', ['-c', script], timeoutMs);

test('its code and both outputs, in the order they came', async t => {
  t.deepEqual(await shell('echo one; echo two >&2; exit 7', 20_000), { code: 7, output: 'one\ntwo' });
});

test('E10: one that hangs is killed with what it started, and counts as killed', async t => {
  const { code, output } = await shell('echo $$; sleep 1000 & sleep 1000', LIMIT_MS);
  t.is(code, 137);
  t.regex(output, /^\d+: no end within 5 s; killed$/);
  await eventually('no process of it', 60_000, () => !isThere(Number.parseInt(output, 10)));
});

test('E10: one that left its output to a process in another session ends all the same', async t => {
  const { code, output } = await shell('setsid sleep 1000 & echo $!; exec sleep 1000', LIMIT_MS);
  const stray = Number.parseInt(output, 10);
  t.teardown(() => { process.kill(stray, 'SIGKILL'); });
  t.is(code, 137);
  t.true(isThere(stray));
});

function isThere(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return false;
  }
}
