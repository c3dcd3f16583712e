import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { startForeground } from '../../../../agent/runtime/exec-process.ts';
import { RuntimeProcess } from '../../../../agent/runtime/runtime-process.ts';

const NEVER = new AbortController().signal;
/** Each would leave two descriptors or more; what the first one is about to close is fewer. */
const STARTS = 5;

/** Descriptors of this process that are pipes, sockets or terminals, each by what it leads to. */
function openEnds(): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return []; // the descriptor of this very look
    }
  }).filter(target => /^(?:pipe|socket):|ptmx/.test(target)).sort();
}

for (const [name, tty] of [['crun', false], ['crun', true], ['runc', false], ['runc', true]] as const) {
  test.serial(`${name}, ${tty ? 'terminal' : 'pipes'}: a runtime that cannot be started leaves no descriptor and no file`, async t => {
    const directory = mkdtempSync(path.join(tmpdir(), 'gantry-exec-'));
    t.teardown(() => { rmSync(directory, { recursive: true }); });
    mkdirSync(`${directory}/record`);
    writeFileSync(`${directory}/record/exec-1.json`, '{}');
    writeFileSync(`${directory}/runtime`, 'no program');
    chmodSync(`${directory}/runtime`, 0o644);
    const runtime = new RuntimeProcess({ name, program: `${directory}/runtime`, root: `${directory}/root` });
    const target = { id: 'c', runtime, name: `${directory}/record/exec-1`, args: () => [] };
    const start = async (): Promise<void> => { await t.throwsAsync(startForeground(target, { tty, stdin: true }, NEVER), { message: /posix_spawn/ }); };
    await start(); // what is loaded at first use is loaded
    const before = openEnds();
    for (let times = 0; times < STARTS; times += 1) await start();
    const left = await closedAgain(before.length);
    t.true(left.length <= before.length, left.join('\n'));
    t.deepEqual(readdirSync(`${directory}/record`), []);
  });
}

/** Sockets close a turn later. */
async function closedAgain(count: number): Promise<readonly string[]> {
  for (let tries = 0; tries < 1_000 && openEnds().length > count; tries += 1) {
    await new Promise(resolve => { setTimeout(resolve, 5); });
  }
  return openEnds();
}
