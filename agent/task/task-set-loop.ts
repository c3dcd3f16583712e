import type { AssignedContent } from '#model/assignment.ts';
import type { TaskId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import type { DesiredSet } from '../assignment.ts';
import type { TaskParts } from './ports.ts';
import { newRecord } from './record.ts';
import type { TaskRecord } from './record.ts';
import { parseContainerId } from './names.ts';
import type { Recovered } from './recovery-flow.ts';
import { TaskLoop } from './task-loop.ts';

/** After a loop ended by a bug of ours, the others go on and this one is begun again. */
const REBEGIN_AFTER_MS = 5_000;

/** All task loops of the node: makes them, tells them what is desired, wakes them when their container ended. */
export class TaskSet {
  readonly #parts: TaskParts;
  readonly #floors: ReadonlyMap<TaskId, number>;
  readonly #secrets: Recovered['secrets'];
  readonly #loops = new Map<TaskId, TaskLoop>();
  readonly #running = new Set<Promise<void>>();
  #signal: AbortSignal | undefined;

  /** `recovered` as the recovery left it; `held` is the assignment that was kept on disk. */
  constructor(parts: TaskParts, recovered: Recovered, held: DesiredSet) {
    this.#parts = parts;
    this.#floors = recovered.attemptFloors;
    this.#secrets = recovered.secrets;
    for (const record of recovered.records) {
      this.#loops.set(record.task.id, new TaskLoop(parts, record, 'run'));
    }
    this.desire(held);
  }

  /** Makes the loops equal the set: tasks that are not in it stop and go. */
  desire(set: DesiredSet): void {
    for (const [id, task] of set.tasks) {
      if (!this.#loops.has(id)) this.#add(id, new TaskLoop(this.#parts, this.#newRecord(task), task.desired));
    }
    const contents = this.#contentsOf(set);
    for (const [id, loop] of this.#loops) {
      loop.desire(set.tasks.get(id), contents);
    }
  }

  /**
   * Makes tasks ready that are new in a set on its way to the disk. Nothing of them is started before `kept` resolved; where it throws, nothing of them is done before a set in
   * force has them. Those with companions, of which the first runs long before the task does, wait for that in any case.
   */
  foresee(set: DesiredSet, kept: Promise<void>): void {
    const coming = [...set.tasks.values()].filter(task => !this.#loops.has(task.id) && task.desired === 'run' && task.companions === undefined);
    const contents = coming.length === 0 ? new Map<string, AssignedContent>() : this.#contentsOf(set);
    for (const task of coming) this.#add(task.id, new TaskLoop(this.#parts, this.#newRecord(task), 'run', { contents, kept }));
  }

  #newRecord(task: Task): TaskRecord {
    return newRecord(task, this.#floors.get(task.id) ?? 0, this.#parts.bootId);
  }

  #contentsOf(set: DesiredSet): ReadonlyMap<string, AssignedContent> {
    return new Map([...this.#secrets, ...set.contents]);
  }

  #add(id: TaskId, loop: TaskLoop): void {
    this.#loops.set(id, loop);
    this.#begin(id, loop);
  }

  wakeAll(): void {
    for (const loop of this.#loops.values()) {
      loop.wake();
    }
  }

  /** Those that wait for a controller's word. */
  wakeExclusive(): void {
    for (const loop of this.#loops.values()) {
      const { task, step } = loop.record;
      if (task.stopAfterMs !== undefined && step !== 'running') loop.wake();
    }
  }

  find(id: TaskId): Pick<TaskLoop, 'record' | 'ended' | 'companionEnded' | 'stop'> | undefined {
    return this.#loops.get(id);
  }

  /** The kernel has killed so many processes of the attempt for memory, up to now. */
  tellOomKills(id: TaskId, attempt: number, oomKills: number): void {
    this.#loops.get(id)?.tellOomKills(attempt, oomKills);
  }

  /** The attempt wrote more into its root file systems than it may. */
  tellOverStorage(id: TaskId, attempt: number, message: string): void {
    this.#loops.get(id)?.tellOverStorage(attempt, message);
  }

  /** Output of the attempt is in no log, since the disk is full; without words: no more. */
  tellLostOutput(id: TaskId, attempt: number, message: string): void {
    this.#loops.get(id)?.tellLostOutput(attempt, message);
  }

  get records(): readonly TaskRecord[] {
    return [...this.#loops.values()].map(loop => loop.record);
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    for (const [id, loop] of this.#loops) {
      this.#begin(id, loop);
    }
    try {
      for await (const { id } of this.#parts.runtime.ends(signal)) {
        const name = parseContainerId(id);
        if (name !== undefined) {
          this.#loops.get(name.task)?.wake();
        }
      }
    } finally {
      await Promise.all(this.#running);
    }
  }

  #begin(id: TaskId, loop: TaskLoop): void {
    const signal = this.#signal;
    if (signal === undefined) {
      return;
    }
    const run = this.#runOne(id, loop, signal).finally(() => { this.#running.delete(run); });
    this.#running.add(run);
  }

  async #runOne(id: TaskId, loop: TaskLoop, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await loop.run(signal);
        this.#ended(id, signal);
        return;
      } catch (error) {
        this.#parts.log.error({ task: id, err: error }, 'task loop ended by a fault of ours; it begins again');
        await this.#parts.clock.sleep(REBEGIN_AFTER_MS, signal).catch(() => { /* the signal: the loop's condition sees it */ });
      }
    }
  }

  /** It ended by itself: the task is forgotten. */
  #ended(id: TaskId, signal: AbortSignal): void {
    if (!signal.aborted) {
      this.#loops.delete(id);
    }
  }
}
