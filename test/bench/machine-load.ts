/** How busy the machine is besides us. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '#kit/command-process.ts';

const LOOK_MS = 500;
/** Of all cores together. */
const QUIET_SHARE = 0.12;
const WAIT_MS = 5_000;

/** Waits until the machine is quiet, for at most five seconds; false when it does not become so. All sides must be at rest. */
export async function becomesQuiet(): Promise<boolean> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const before = busyMs();
    const startedAt = performance.now();
    await sleep(LOOK_MS);
    if ((busyMs() - before) / ((performance.now() - startedAt) * availableParallelism()) <= QUIET_SHARE) {
      return true;
    }
    if (performance.now() > deadline) {
      return false;
    }
  }
}

/** CPU time of the whole machine but idle and iowait, in milliseconds. Source: proc_stat(5): user nice system idle iowait irq softirq steal, in ticks of 10 ms */
function busyMs(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (/^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '').split(' ').map(Number);
  return (user + nice + system + irq + softirq) * 10;
}

export async function machineFacts(): Promise<Readonly<Record<string, unknown>>> {
  const kernel = (await runCommand('uname', ['-r'])).stdout.trim();
  return { cores: availableParallelism(), cpu: cpus()[0]?.model ?? '', memoryMib: Math.round(totalmem() / 2 ** 20), kernel, node: process.version };
}
