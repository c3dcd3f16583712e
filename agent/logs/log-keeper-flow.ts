import type { Clock } from '#kit/clock.ts';
import { LOG_FILE_BYTES, MAX_LOOK_MS, nextLookMs } from './log-bounds.ts';
import type { LogGrowth } from './log-bounds.ts';
import { keepReplaced } from './log-files-fs.ts';

/** The log of a container whose monitor runs. */
export interface WrittenLog {
  readonly path: string;
  /** Has the monitor begin a new file. */
  readonly reopen: () => Promise<void>;
}

interface Look {
  readonly inode: bigint;
  readonly bytes: number;
  readonly atMs: number;
  readonly nextAtMs: number;
  /** The monitor was asked for a new file and has not begun it yet: asked twice, it would begin two. */
  readonly isReopening: boolean;
}

/** Keeps the last files of every log; looks at one more often the faster it grows. */
export class LogKeeper {
  readonly #clock: Clock;
  #looks: ReadonlyMap<string, Look> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Looks at each log that is due.
   *
   * @param find  undefined for one that nothing writes to
   * @returns the time until the next one is due
   * @throws what one of them did, once all others were looked at
   */
  async lookAll(ids: readonly string[], find: (id: string) => WrittenLog | undefined): Promise<number> {
    const looks = new Map<string, Look>();
    const failures: unknown[] = [];
    for (const id of ids) {
      const before = this.#looks.get(id);
      const isDue = before === undefined || before.nextAtMs <= this.#clock.monotonicMs();
      const look = isDue ? await this.#look(find(id), before).catch((error: unknown) => { failures.push(error); }) : before;
      if (look !== undefined) looks.set(id, look);
    }
    this.#looks = looks;
    if (failures.length > 0) throw failures[0];
    const nowMs = this.#clock.monotonicMs();
    return Math.max(0, Math.min(MAX_LOOK_MS, ...[...looks.values()].map(({ nextAtMs }) => nextAtMs - nowMs)));
  }

  async #look(log: WrittenLog | undefined, before: Look | undefined): Promise<Look> {
    const { inode, bytes } = (log === undefined ? undefined : await keepReplaced(log.path, before?.inode)) ?? { inode: 0n, bytes: 0 };
    const atMs = this.#clock.monotonicMs();
    // Missing, or larger than a monitor of this version lets it become: an agent of an earlier version started it, or moved it aside.
    const isReopening = log !== undefined && (inode === 0n || bytes > LOG_FILE_BYTES);
    if (isReopening && !(inode === before?.inode && before.isReopening)) await log.reopen();
    const waitMs = before === undefined ? MAX_LOOK_MS : nextLookMs(growthOf(before, { inode, bytes, atMs }));
    return { inode, bytes, atMs, nextAtMs: atMs + waitMs, isReopening };
  }
}

function growthOf(before: Look, now: Pick<Look, 'inode' | 'bytes' | 'atMs'>): LogGrowth {
  const isNewFile = now.inode !== before.inode;
  return { isNewFile, bytes: isNewFile ? now.bytes : now.bytes - before.bytes, elapsedMs: now.atMs - before.atMs };
}
