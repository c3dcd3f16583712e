/** What 100 running containers cost beside themselves, and how soon one that was killed is there again. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import { BenchNode, readProcesses } from './bench-node.ts';
import { requireDocker } from './docker-peer.ts';
import { pssKib, rssMib } from './process-memory.ts';
import { figures, rounded } from './report.ts';

const COMMAND = ['sleep', '1000000'];
const COUNT = 100;
const KILLS = 10;
const BYTES_PER_KIB = 1_024;
/** Until buffers of the starts are given back. */
const SETTLE_MS = 2_000;

export const memoryBench: Bench = {
  unit: 'KiB beside a container', isMoreBetter: false, runs: COUNT,
  goals: [{ of: 'ratio.peer', atLeast: 10 }, { of: 'extra.agentRssMb', atMost: 110 }, { of: 'extra.heapKibPerContainer', atMost: 40 }, { of: 'extra.killToRunningMs', atMost: 100 }],
  prepare: prepareMemory,
};

async function prepareMemory({ directory, mayInstall, tell }: BenchSite): Promise<PreparedBench> {
  await requireDocker(mayInstall);
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await BenchNode.start({ directory, hasHeapProbe: true }));
  const docker = stack.use(await node.startDocker());
  const heapBefore = await node.liveHeapBytes();
  const tasks = Array.from({ length: COUNT }, () => node.task());
  node.controller.assign(tasks);
  await node.controller.reported(tasks.map(({ id }) => id), ({ phase }) => phase === 'running');
  const containers: string[] = [];
  for (let index = 0; index < COUNT; index += 1) {
    containers.push(await docker.run({ image: node.image.reference, command: COMMAND }));
  }
  tell(`${String(COUNT)} containers run on each side`);
  await sleep(SETTLE_MS);
  stack.defer(async () => {
    await node.stop(tasks);
    await Promise.all(containers.map(async id => { await docker.remove(id); }));
  });
  const owned = stack.move();
  const monitors = pidsOfProgram('conmon', node.cluster.layout.runDir);
  return {
    gantry: { name: 'conmon', measure: () => Promise.resolve(monitors.map(pssKib)) },
    peer: { name: 'containerd-shim', measure: () => Promise.resolve(pidsOfProgram('containerd-shim', directory).map(pssKib)) },
    extra: async () => {
      const agentRssMb = rssMib(node.agentPid);
      const pssKibPerContainer = figures(monitors.map(pssKib)).p50;
      const heapKibPerContainer = rounded((await node.liveHeapBytes() - heapBefore) / BYTES_PER_KIB / COUNT);
      const killed: number[] = [];
      for (const task of tasks.slice(0, KILLS)) {
        killed.push(await killToRunningMs(node, task.id));
      }
      return { pssKibPerContainer, agentRssMb, dockerdRssMb: rssMib(docker.pid), heapKibPerContainer, killToRunningMs: figures(killed).p50, killToRunningMsAll: killed.map(rounded) };
    },
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

/** From the kill of a container's process until the report of its next attempt. */
async function killToRunningMs(node: BenchNode, id: Parameters<BenchNode['pidOf']>[0]): Promise<number> {
  const attempt = node.controller.status(id)?.attempt ?? 0;
  const startedAt = performance.now();
  process.kill(node.pidOf(id), 'SIGKILL');
  await node.controller.reported([id], status => status.phase === 'running' && status.attempt > attempt);
  return performance.now() - startedAt;
}

/** Processes of a program that have `mark` in their arguments. */
function pidsOfProgram(program: string, mark: string): readonly number[] {
  return readProcesses().filter(pid => {
    try {
      return readFileSync(`/proc/${String(pid)}/comm`, 'utf8').startsWith(program.slice(0, 15)) && readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').includes(mark);
    } catch {
      return false; // it ended
    }
  });
}
