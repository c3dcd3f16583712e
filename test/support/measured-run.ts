import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProcess, TOOL_PATH } from '#kit/command-process.ts';
import type { DevCluster } from './dev-cluster.ts';
import { residentMib } from './cluster-picture.ts';

export interface MeasuredRun {
  readonly exitCode: number | null;
  readonly output: string;
  readonly elapsedMs: number;
  /** The most memory the process had, as far as it was seen: looked at each 5 ms. */
  readonly peakMib: number;
}

const CLUSTERCTL = path.resolve(import.meta.dirname, '../../deploy/bin/clusterctl');

/** Runs clusterctl against the cluster and measures the process. */
export async function runMeasured(cluster: DevCluster, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<MeasuredRun> {
  const startedMs = performance.now();
  const child = startProcess(CLUSTERCTL, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: TOOL_PATH, LC_ALL: 'C', HOME: cluster.home, GANTRY_CONTEXT: cluster.name, NO_COLOR: '1', ...environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => { output += text; });
  }
  const closed = new Promise<number | null>(resolve => { child.on('close', code => { resolve(code); }); });
  let peakMib = 0;
  let exitCode: number | null | undefined;
  while (exitCode === undefined) {
    peakMib = Math.max(peakMib, peakOf(child.pid));
    exitCode = await Promise.race([closed, sleep(5, undefined)]);
  }
  return { exitCode, output, elapsedMs: performance.now() - startedMs, peakMib };
}

function peakOf(pid: number | undefined): number {
  try {
    return pid === undefined ? 0 : residentMib(pid, 'VmHWM');
  } catch {
    // It ended: the looks before count.
    return 0;
  }
}
