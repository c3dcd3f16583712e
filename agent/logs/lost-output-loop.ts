import { dirname } from 'node:path';
import type { Clock } from '#kit/clock.ts';
import { everyInterval } from '#kit/interval-loop.ts';
import type { Logger } from '#kit/logger.ts';
import type { Loop } from '#kit/supervise-loop.ts';
import type { TaskId } from '#model/ids.ts';
import { runningContainers } from '../audit.ts';
import type { RunningContainer } from '../audit.ts';
import type { TaskRecords } from '../task/ports.ts';
import type { TaskRecord } from '../task/record.ts';
import { lostBytes } from './lost-output.ts';
import type { FullLog } from './lost-output.ts';

export interface LostOutputParts {
  readonly records: () => readonly TaskRecord[];
  readonly paths: Pick<TaskRecords, 'logPath'>;
  /** Undefined while the log's disk has room. */
  readonly see: (container: string, logPath: string, monitorPid: number) => Promise<FullLog | undefined>;
  /** Called once when output of the attempt is lost, and with no words once the disk has room again. */
  readonly onLost: (task: TaskId, attempt: number, message: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_INTERVAL_MS = 5_000;

/** A log on a full disk. */
interface Watched {
  readonly seen: FullLog;
  readonly isTold: boolean;
}

/** Sees when a log's disk is full and output is lost: the container goes on, and its monitor throws away what the disk does not take. */
export class LostOutputLoop implements Loop {
  readonly #parts: LostOutputParts;
  /** By container. */
  #full: ReadonlyMap<string, Watched> = new Map();

  constructor(parts: LostOutputParts) {
    this.#parts = parts;
  }

  async run(signal: AbortSignal): Promise<void> {
    await everyInterval(async () => { await this.#look(); }, { ...this.#parts, intervalMs: LOOK_INTERVAL_MS, failure: 'logs were not looked at' }, signal);
  }

  async #look(): Promise<void> {
    const full = new Map<string, Watched>();
    for (const container of runningContainers(this.#parts.records())) {
      const seen = await this.#see(container);
      if (seen !== undefined) full.set(container.id, seen);
    }
    this.#full = full;
  }

  async #see({ task, log, id, monitor }: RunningContainer): Promise<Watched | undefined> {
    const { paths, see, onLost } = this.#parts;
    const logPath = paths.logPath(task, log);
    const [before, seen] = [this.#full.get(id), await see(id, logPath, monitor.pid)];
    const wasTold = before?.isTold === true;
    const bytes = wasTold || seen === undefined ? 0 : lostBytes(before?.seen, seen);
    if (bytes > 0) onLost(task, log.attempt, describeLoss(bytes, logPath));
    if (wasTold && seen === undefined) onLost(task, log.attempt, '');
    return seen === undefined ? undefined : { seen, isTold: wasTold || bytes > 0 };
  }
}

function describeLoss(bytes: number, logPath: string): string {
  return `the disk of ${dirname(logPath)} is full: ${String(bytes)} bytes of output and what follows are in no log until it has room again; the container goes on`;
}
