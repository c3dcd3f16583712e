/**
 * Loaded into a controller before its own code: each time its event loop stands still for longer than a while, one line of JSON goes into the file that the
 * environment names. JavaScript, so that Node.js does not load what reads TypeScript.
 */
import { openSync, readFileSync, writeSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const TICK_MS = 10;
const LEAST_MS = 50;
const NS_PER_MS = 1e6;
const US_PER_MS = 1e3;

const file = process.env['GANTRY_BENCH_LOOP_FILE'];
if (file !== undefined && isMainThread && process.argv[1]?.endsWith('controller.mjs') === true) {
  const output = openSync(file, 'a');
  let collectedMs = 0;
  new PerformanceObserver(list => {
    for (const { duration } of list.getEntries()) collectedMs += duration;
  }).observe({ entryTypes: ['gc'] });
  let before = look();
  setInterval(() => {
    const now = look();
    const lateMs = now.atMs - before.atMs - TICK_MS;
    if (lateMs >= LEAST_MS) {
      const [cpuMs, waitMs, gcMs] = [now.cpuMs - before.cpuMs, now.waitMs - before.waitMs, now.collectedMs - before.collectedMs].map(Math.round);
      writeSync(output, `${JSON.stringify({ atMs: Date.now(), blockMs: Math.max(0, Math.round(lateMs) - waitMs), cpuMs, waitMs, gcMs })}\n`);
    }
    before = look();
  }, TICK_MS).unref();

  function look() {
    const { user, system } = process.threadCpuUsage();
    // Source: Documentation/scheduler/sched-stats: the second field is the time that the main thread waited for a processor.
    const waitMs = Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / NS_PER_MS;
    return { atMs: performance.now(), cpuMs: (user + system) / US_PER_MS, waitMs, collectedMs };
  }
}
