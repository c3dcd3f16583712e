import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Task } from '#model/task.ts';
import type { DevLayout } from '../../cli/dev/layout.ts';

/** One attempt of a task of `soloApp`, as its log tells; in seconds of the machine's uptime. */
interface RunTime {
  readonly slot: number;
  readonly firstS: number;
  readonly lastS: number;
  readonly fence: number;
}

/**
 * When each attempt of the tasks ran: nodes of a local cluster have one clock, and a log is written on the node, also while it is cut off. Look as often as tasks may
 * be forgotten.
 */
export class RunTimes {
  readonly #layout: DevLayout;
  readonly #runs = new Map<string, RunTime>();

  constructor(layout: DevLayout) {
    this.#layout = layout;
  }

  look(tasks: readonly Task[]): void {
    for (const { id, node, slot } of tasks) {
      const logs = `${this.#layout.stateDir}/${node}/state/tasks/${id}/logs`;
      for (const name of existsSync(logs) ? readdirSync(logs) : []) {
        const lines = [...readFileSync(`${logs}/${name}`, 'utf8').matchAll(/ (\d+\.\d+) (\d+)$/gm)];
        const [first, last] = [lines[0], lines.at(-1)];
        if (first !== undefined && last !== undefined) this.#runs.set(`${id} ${name}`, { slot, firstS: Number(first[1]), lastS: Number(last[1]), fence: Number(first[2]) });
      }
    }
  }

  /** Whether an attempt of the task was found. */
  has({ id }: Task): boolean {
    return [...this.#runs.keys()].some(key => key.startsWith(`${id} `));
  }

  /** I11: of no slot two at one instant. And a later one has no lower fence, another task a higher one. */
  violations(): readonly string[] {
    const ofSlot = Map.groupBy([...this.#runs], ([, { slot }]) => slot);
    return [...ofSlot.values()].flatMap(runs => runs.sort(([, left], [, right]) => left.firstS - right.firstS).flatMap(([name, run], index) => {
      const [before, previous] = runs[index - 1] ?? [];
      if (before === undefined || previous === undefined) {
        return [];
      }
      const isSameTask = before.split(' ')[0] === name.split(' ')[0];
      return [
        ...(previous.lastS < run.firstS ? [] : [`I11: ${name} ran at ${String(run.firstS)} s, ${before} until ${String(previous.lastS)} s`]),
        ...(isSameTask ? run.fence === previous.fence : run.fence > previous.fence) ? [] : [`${name} has fence ${String(run.fence)} after ${before} with ${String(previous.fence)}`],
      ];
    }));
  }
}
