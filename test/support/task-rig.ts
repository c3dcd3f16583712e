import type { ExecutionContext } from 'ava';
import { isForward } from '#model/task.ts';
import type { Task } from '#model/task.ts';
import { EMPTY_DESIRED_SET } from '../../agent/assignment.ts';
import type { DesiredSet } from '../../agent/assignment.ts';
import { recoverTasks } from '../../agent/task/recovery-flow.ts';
import { TaskSet } from '../../agent/task/task-set-loop.ts';
import { FakeClock, settle } from './fake-clock.ts';
import { FakeNode } from './fake-node.ts';

export function setOf(...tasks: readonly Task[]): DesiredSet {
  return { ...EMPTY_DESIRED_SET, epoch: 1, generation: 1, tasks: new Map(tasks.map(one => [one.id, one])) };
}

/** After so long a running task's record says that it runs. */
export const RECORDED_MS = 2500;

/** An agent's task part at work on a fake node; `kill` is kill -9. */
export class Rig {
  readonly clock = new FakeClock();
  readonly node = new FakeNode(this.clock);
  tasks: TaskSet | undefined;
  #dying = new AbortController();

  async begin(held: DesiredSet): Promise<void> {
    this.#dying = new AbortController();
    const { signal } = this.#dying;
    const parts = this.node.parts();
    const recovered = await recoverTasks(parts, held);
    this.tasks = new TaskSet(parts, recovered, held);
    this.tasks.run(signal).catch((error: unknown) => { if (!signal.aborted) throw error; });
    await this.rest();
  }

  async rest(): Promise<void> {
    for (let turn = 0; turn < 12; turn += 1) {
      await settle();
    }
  }

  async desire(...tasks: readonly Task[]): Promise<void> {
    this.tasks?.desire(setOf(...tasks));
    await this.rest();
  }

  async pass(durationMs: number): Promise<void> {
    await this.clock.advance(durationMs);
    await this.rest();
  }

  kill(): void {
    this.#dying.abort(new Error('killed'));
  }

  get dying(): AbortController {
    return this.#dying;
  }
}

export function noViolations(t: ExecutionContext, node: FakeNode): void {
  t.deepEqual(node.violations, []);
  node.statuses.reduce((previous, next) => {
    t.true(isForward(previous, next), `status goes back: ${previous.phase} ${String(previous.attempt)} -> ${next.phase} ${String(next.attempt)}`);
    return next;
  });
}
