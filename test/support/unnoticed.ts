import type { ExecutionContext } from 'ava';
import type { FaultBench } from './fault-bench.ts';
import { RequestLoad } from './request-load.ts';
import type { FailedRequest } from './request-load.ts';

/** What clients and containers noticed of a fault: nothing, where all lists are empty. */
export interface Notice {
  readonly sent: number;
  readonly failures: readonly FailedRequest[];
  /** Containers that are not what they were (I6), as lines; those that came, and those that went. */
  readonly changed: readonly string[];
  /** Names of tasks that were placed (I18). */
  readonly replaced: readonly string[];
  /** Nodes that were lost (I18). */
  readonly lost: readonly string[];
}

/** Runs the fault under ten requests a second, until the cluster is as it should be again (I15). */
export async function underFault(bench: FaultBench, port: number, fault: () => Promise<void>): Promise<Notice> {
  const revision = await bench.settled();
  const before = bench.pictures();
  await using load = new RequestLoad(`http://127.0.0.1:${String(port)}/`, 10);
  await fault();
  await bench.heard();
  await bench.settled();
  const { sent, failures } = await load.stop();
  const after = bench.pictures();
  return {
    sent, failures, changed: [...before.filter(line => !after.includes(line)), ...after.filter(line => !before.includes(line))],
    replaced: (await bench.tasksSince(revision)).map(task => task.name),
    lost: (await bench.absencesSince(revision)).filter(absence => absence.endsWith('lost')),
  };
}

/** Nobody notices the fault. */
export async function unnoticed(t: ExecutionContext, bench: FaultBench, port: number, fault: () => Promise<void>): Promise<void> {
  const { sent, ...notice } = await underFault(bench, port, fault);
  t.true(sent > 10);
  t.deepEqual(notice, { failures: [], changed: [], replaced: [], lost: [] });
}
