import type { ContainerEnd } from '../runtime/ports.ts';
import type { CompanionsObserved } from './companion-phase.ts';
import { clearContainer, stopGracefully } from './container-flow.ts';
import { containerId } from './names.ts';
import type { TaskParts } from './ports.ts';
import { companionOf } from './record.ts';
import type { TaskRecord } from './record.ts';

/** Runs of a companion within an attempt whose logs stay. */
const KEPT_LOGS = 2;

/** Eyes and hands for the companions of one task. What it remembers a new agent does not need: it would signal again. */
export class CompanionCrew {
  readonly #parts: TaskParts;
  readonly #runs = new Map<number, AbortController>();
  #firstSignalAtMs: number | undefined;
  readonly #signalled = new Set<number>();

  constructor(parts: TaskParts) {
    this.#parts = parts;
  }

  async observe(record: TaskRecord): Promise<Pick<CompanionsObserved, 'companionEnds' | 'companionsStopping'>> {
    const companionEnds = new Map<number, ContainerEnd>();
    for (const [index, { step }] of (record.companions ?? []).entries()) {
      const end = step === 'running' ? await this.#endOf(record, index) : undefined;
      if (end !== undefined) {
        companionEnds.set(index, end);
      }
    }
    return this.#firstSignalAtMs === undefined ? { companionEnds }
      : { companionEnds, companionsStopping: { sinceMs: this.#parts.clock.monotonicMs() - this.#firstSignalAtMs, signalled: this.#signalled } };
  }

  async signal(record: TaskRecord, index: number): Promise<void> {
    const spec = record.task.companions?.[index];
    if (spec !== undefined) {
      await stopGracefully(idOf(record, index), spec.container, this.#parts);
    }
    this.#signalled.add(index);
    this.#firstSignalAtMs ??= this.#parts.clock.monotonicMs();
  }

  /** Takes away what is left of the newest run, and logs that are too old. */
  async clear(record: TaskRecord, index: number): Promise<void> {
    const { attempt, task } = record;
    const { run } = companionOf(record, index);
    await clearContainer(idOf(record, index), this.#parts);
    await this.#parts.records.dropLogs(task.id, log => log.attempt === attempt && log.companion?.index === index && log.companion.run <= run - KEPT_LOGS);
  }

  /** Aborts when the companion's running run ended; has aborted when none runs. */
  endedOf(record: TaskRecord, index: number): AbortSignal {
    if (record.companions?.[index]?.step !== 'running') {
      return AbortSignal.abort();
    }
    const run = this.#runs.get(index) ?? new AbortController();
    this.#runs.set(index, run);
    return run.signal;
  }

  /** A run is over: who watched it goes. */
  settled(index: number): void {
    this.#runs.get(index)?.abort();
    this.#runs.delete(index);
  }

  /** The attempt is over. */
  dismiss(): void {
    for (const index of [...this.#runs.keys()]) {
      this.settled(index);
    }
    this.#firstSignalAtMs = undefined;
    this.#signalled.clear();
  }

  /** Also of one that was taken away behind our back, or by a reboot: nobody will ever see its code. */
  async #endOf(record: TaskRecord, index: number): Promise<ContainerEnd | undefined> {
    const { runtime, clock } = this.#parts;
    const id = idOf(record, index);
    const end = await runtime.readEnd(id);
    const container = record.companions?.[index]?.container;
    if (end !== undefined || (container !== undefined && await runtime.isAlive(container.container))) {
      return end;
    }
    return await runtime.state(id) === 'absent' ? { code: null, isOomKilled: false, finishedAtMs: clock.nowMs(), reason: 'it is gone' } : await runtime.readEnd(id);
  }
}

function idOf({ task, attempt, companions }: TaskRecord, index: number): string {
  return containerId(task.id, attempt, { index, run: companions?.[index]?.run ?? 0 });
}
