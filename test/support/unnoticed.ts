import type { ExecutionContext } from 'ava';
import type { FaultBench } from './fault-bench.ts';
import { RequestLoad } from './request-load.ts';

/**
 * Runs the fault under ten requests a second. Then every request was answered, every container is the one it was (I6), no task was
 * replaced and no node was lost (I18), and the cluster is as it should be (I15).
 */
export async function unnoticed(t: ExecutionContext, bench: FaultBench, port: number, fault: () => Promise<void>): Promise<void> {
  const revision = await bench.settled();
  const before = bench.pictures();
  await using load = new RequestLoad(`http://127.0.0.1:${String(port)}/`, 10);
  await fault();
  await bench.heard();
  await bench.settled();
  const { sent, failures } = await load.stop();
  t.true(sent > 10);
  t.deepEqual(failures, []);
  t.deepEqual(bench.pictures(), before);
  t.deepEqual((await bench.tasksSince(revision)).map(task => task.name), []);
  t.deepEqual((await bench.absencesSince(revision)).filter(absence => absence.endsWith('lost')), []);
}
