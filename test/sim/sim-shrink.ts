/** The shortest schedule, as far as it is found, that still breaks the same invariant. */
import { simulateCluster } from './cluster-sim.ts';
import type { ClusterReport } from './cluster-sim.ts';
import type { Schedule } from './sim-schedule.ts';

const MOST_RUNS = 80;

/** Leaves out halves, quarters, ... of the steps, and keeps what still fails in the same way. Source: Zeller, delta debugging (ddmin) */
export async function shrink(schedule: Schedule, failure: ClusterReport): Promise<{ readonly schedule: Schedule; readonly report: ClusterReport }> {
  const kind = kindOf(failure);
  let best = { schedule, report: failure };
  let runs = 0;
  for (let size = Math.ceil(schedule.steps.length / 2); size >= 1 && runs < MOST_RUNS; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < best.schedule.steps.length && runs < MOST_RUNS;) {
      const steps = best.schedule.steps.filter((_, index) => index < start || index >= start + size);
      const candidate = { ...schedule, steps };
      const report = await simulateCluster(candidate);
      runs += 1;
      if (kindOf(report) === kind) {
        best = { schedule: candidate, report };
      } else {
        start += size;
      }
    }
  }
  return best;
}

/** `I7` of "at 300088 ms: I7: ..."; the first words of what has no number. */
export function kindOf({ violations }: ClusterReport): string | undefined {
  const [first] = violations;
  const text = first?.replace(/^at \d+ ms: /, '');
  return text === undefined ? undefined : /^I\d+/.exec(text)?.[0] ?? text.slice(0, 30);
}
