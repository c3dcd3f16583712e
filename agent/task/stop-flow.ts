import { isClusterError } from '#model/errors.ts';
import { stopGracefully } from './container-flow.ts';
import { containerId } from './names.ts';
import { stoppingSince } from './phase.ts';
import type { Observed, StopCause, Stopping } from './phase.ts';
import type { TaskParts } from './ports.ts';
import type { TaskRecord } from './record.ts';

/** A stop that somebody asked for at the container itself, of this attempt. */
interface AskedStop {
  readonly attempt: number;
  readonly graceMs?: number;
}

/** Ends an attempt's main container. What it remembers a new agent does not need: it would signal again. What was asked for at the container it forgets: who waits for the end learns that it does not come. */
export class Stopper {
  readonly #parts: Pick<TaskParts, 'runtime' | 'images' | 'cgroups' | 'clock'>;
  #stopping: Stopping | undefined;
  #asked: AskedStop | undefined;

  constructor(parts: Pick<TaskParts, 'runtime' | 'images' | 'cgroups' | 'clock'>) {
    this.#parts = parts;
  }

  /** Why a stop was begun; undefined when none was. */
  get cause(): StopCause | undefined {
    return this.#stopping?.cause;
  }

  ask(attempt: number, graceMs: number | undefined): void {
    this.#asked = { attempt, ...(graceMs === undefined ? {} : { graceMs }) };
  }

  observe({ attempt }: TaskRecord): Pick<Observed, 'stopping' | 'askedStop'> {
    return { ...stoppingSince(this.#stopping, this.#parts.clock.monotonicMs()), ...(this.#asked?.attempt === attempt ? { askedStop: this.#asked } : {}) };
  }

  /** Asks it to end. Without a monitor nobody reads its output any more: no reason to wait for it. */
  async signal({ task, attempt }: TaskRecord, cause: StopCause): Promise<void> {
    const name = containerId(task.id, attempt);
    await (cause === 'monitor-lost' ? this.#parts.cgroups.killAll(name) : stopGracefully(name, task.container, this.#parts));
    this.#stopping = { cause, signalledAtMs: this.#parts.clock.monotonicMs(), isKilled: false };
  }

  /** Processes that outlive it wait for a disk or a driver: they have the signal, and another adds nothing. */
  async kill({ task, attempt }: TaskRecord, cause: StopCause): Promise<void> {
    await this.#parts.runtime.kill(containerId(task.id, attempt), 'KILL', true).catch((error: unknown) => {
      if (!isClusterError(error, 'FAILED_PRECONDITION')) throw error;
    });
    this.#stopping = { cause, signalledAtMs: this.#stopping?.signalledAtMs ?? this.#parts.clock.monotonicMs(), isKilled: true };
  }

  /** It ended. */
  forget(): void {
    this.#stopping = undefined;
    this.#asked = undefined;
  }
}
