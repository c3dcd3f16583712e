/** A thousand containers one after another and two hundred at once: nothing is left, and the agent does not grow. */
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import { BenchNode } from './bench-node.ts';
import { rssMib } from './process-memory.ts';
import { rounded } from './report.ts';

const FIRST = 100;
const IN_SEQUENCE = 1_000;
/** In flight at a time: a sequence for each core. */
const WIDTH = 2;
const AT_ONCE = 200;
const SETTLE_MS = 3_000;

export const soakBench: Bench = {
  unit: 'ms a container', isMoreBetter: false, runs: 1,
  goals: [{ of: 'extra.rssRatio', atMost: 1.1 }, { of: 'extra.moreDescriptors', atMost: 0 }],
  prepare: prepareSoak,
};

async function prepareSoak({ directory, tell }: BenchSite): Promise<PreparedBench> {
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await BenchNode.start({ directory }));
  const owned = stack.move();
  await runAndRemove(node, FIRST);
  const before = await look(node);
  tell(`after ${String(FIRST)}: ${JSON.stringify(before)}`);
  return {
    gantry: {
      name: 'gantry',
      measure: async () => {
        const startedAt = performance.now();
        await runAndRemove(node, Math.round(IN_SEQUENCE / 3));
        return [(performance.now() - startedAt) / Math.round(IN_SEQUENCE / 3)];
      },
    },
    extra: async () => {
      const after = await look(node);
      const tasks = Array.from({ length: AT_ONCE }, () => node.task());
      node.controller.assign(tasks);
      await node.controller.reported(tasks.map(({ id }) => id), ({ phase }) => phase === 'running');
      await node.stop(tasks);
      const atLast = await look(node);
      return { before, after, afterBurst: atLast, rssRatio: rounded(after.rssMib / before.rssMib), moreDescriptors: Math.max(after.descriptors, atLast.descriptors) - before.descriptors };
    },
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

/** Nothing of them is left on the machine: what is, fails the bench when its node is removed. */
async function runAndRemove(node: BenchNode, count: number): Promise<void> {
  await Promise.all(Array.from({ length: WIDTH }, async () => {
    for (let index = 0; index < count / WIDTH; index += 1) {
      const task = node.task();
      node.controller.assign([task]);
      await node.controller.reported([task.id], ({ phase }) => phase === 'running');
      await node.stop([task]);
    }
  }));
}

async function look(node: BenchNode): Promise<{ readonly rssMib: number; readonly descriptors: number }> {
  await sleep(SETTLE_MS);
  return { rssMib: rssMib(node.agentPid), descriptors: readdirSync(`/proc/${String(node.agentPid)}/fd`).length };
}
