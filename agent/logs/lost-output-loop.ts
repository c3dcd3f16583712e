import { dirname } from 'node:path';
import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { Task } from '#model/task.ts';
import { runningContainers } from '../audit.ts';
import type { TaskEvents, TaskRecords } from '../task/ports.ts';
import type { TaskRecord } from '../task/record.ts';
import { lostBytes } from './lost-output.ts';
import type { FullLog } from './lost-output.ts';

export interface LostOutputParts {
  readonly records: () => readonly TaskRecord[];
  readonly paths: Pick<TaskRecords, 'logPath'>;
  /** Undefined while the log's disk has room. */
  readonly see: (logPath: string, monitorPid: number) => Promise<FullLog | undefined>;
  readonly events: TaskEvents;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_INTERVAL_MS = 5_000;

interface Watched {
  readonly seen: FullLog;
  readonly isTold: boolean;
}

/** Tells once, while a log's disk is full, that output is being lost: the container goes on, and its monitor throws away what the disk does not take. */
export class LostOutputLoop implements Loop {
  readonly #parts: LostOutputParts;
  /** Logs on a full disk, by container. */
  #full: ReadonlyMap<string, Watched> = new Map();

  constructor(parts: LostOutputParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    for (;;) {
      await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => { /* the next line sees the signal */ });
      if (signal.aborted) return;
      await this.#look().catch((error: unknown) => { log.warn({ err: error }, 'logs were not looked at'); });
    }
  }

  async #look(): Promise<void> {
    const { records, paths, see } = this.#parts;
    const full = new Map<string, Watched>();
    for (const record of records()) {
      for (const { id, log, monitor } of runningContainers([record])) {
        const logPath = paths.logPath(record.task.id, log);
        const seen = await see(logPath, monitor.pid);
        if (seen !== undefined) full.set(id, { seen, isTold: this.#tell(record.task, { id, logPath, seen }) });
      }
    }
    this.#full = full;
  }

  /** @returns true once it was told */
  #tell(task: Task, { id, logPath, seen }: { readonly id: string; readonly logPath: string; readonly seen: FullLog }): boolean {
    const before = this.#full.get(id);
    const bytes = before === undefined || before.isTold ? 0 : lostBytes(before.seen, seen);
    if (bytes > 0) {
      this.#parts.events.happened({
        type: 'warning', task, reason: 'LogLinesLost', message: `the disk of ${dirname(logPath)} is full: ${String(bytes)} bytes of output and what follows are in no log until it has room again; the container goes on`,
      });
    }
    return before?.isTold === true || bytes > 0;
  }
}
