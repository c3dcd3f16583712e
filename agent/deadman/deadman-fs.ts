import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { lastRunMs } from '#model/exclusive.ts';
import type { TaskId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import { containerId, parseContainerId } from '../task/names.ts';
import type { Deadman } from '../task/ports.ts';
import type { Cgroups } from '../cgroup/ports.ts';
import type { DeadmanWatch } from '../ports.ts';
import { formatArmed, parseArmed } from './armed-file.ts';
import type { ArmedAttempt } from './armed-file.ts';

/**
 * Age of the `alive` file up to which the deadman works. It checks twice per second; a busy machine
 * may delay it. Well below SAFE.
 */
const ALIVE_WITHIN_MS = 8_000;
/**
 * An armed time may be this much earlier than possible, so that a burst of heartbeats does not
 * cause a write each.
 */
const REARM_EACH_MS = 200;

/**
 * Implements the side of the agent: files in a directory that only root can read, in memory. Each
 * call is a few system calls.
 * 1. What is guarded stays guarded across agents until `release`. 2. The deadman reads an old or a
 * new text, never a mix. 3. If a time could not be written, an earlier one stays.
 */
export class DeadmanFs implements Deadman, DeadmanWatch {
  readonly #directory: string;
  readonly #cgroups: Pick<Cgroups, 'taskPlace'>;
  readonly #attempts: Map<TaskId, ArmedAttempt>;
  readonly #heardBeforeMs: number | undefined;
  #heardAtMs: number | undefined;
  /** Time of the last check of the deadman, as last read. */
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #writtenMs = Number.NEGATIVE_INFINITY;

  constructor(runDir: string, cgroups: Pick<Cgroups, 'taskPlace'>) {
    this.#directory = join(runDir, 'deadman');
    this.#cgroups = cgroups;
    mkdirSync(join(this.#directory, 'killed'), { recursive: true, mode: 0o700 });
    const armed = parseArmed(this.#read('armed'));
    this.#heardBeforeMs = armed?.heardAtMs;
    this.#heardAtMs = armed?.heardAtMs;
    this.#attempts = new Map((armed?.attempts ?? []).flatMap(attempt => {
      const task = parseContainerId(attempt.id)?.task;
      return task === undefined ? [] : [[task, attempt] as const];
    }));
  }

  /**
   * Returns the time since the boot, including suspend. Without a free descriptor it has whole
   * seconds, rounded down: an armed time is then earlier. Source: libuv, uv_uptime()
   */
  uptimeMs(): number {
    return Math.round(uptime() * 1_000);
  }

  /**
   * Returns how long ago the previous agent had its last acknowledged heartbeat; undefined if it
   * guarded nothing.
   */
  heardAgoMs(): number | undefined {
    return this.#heardBeforeMs === undefined ? undefined : this.uptimeMs() - this.#heardBeforeMs;
  }

  /** The deadman rewrites its file in place: a file read in between is empty and says nothing. */
  isAtWork(): boolean {
    const lookedAt = this.#read('alive').trim();
    if (/^\d+$/.test(lookedAt)) this.#lookedAtMs = Number(lookedAt);
    return this.uptimeMs() - this.#lookedAtMs <= ALIVE_WITHIN_MS;
  }

  heard(sentUptimeMs: number): void {
    this.#heardAtMs = Math.max(sentUptimeMs, this.#heardAtMs ?? sentUptimeMs);
    if (this.#attempts.size === 0 || this.#heardAtMs - this.#writtenMs < REARM_EACH_MS) return;
    try {
      this.#write();
    } catch {
      // No space: the earlier time stays, and the next heartbeat tries again. The session continues.
    }
  }

  guard({ id, stopAfterMs, container }: Task, attempt: number): boolean {
    if (stopAfterMs === undefined) {
      return true;
    }
    if (this.#heardAtMs === undefined || !this.isAtWork()) {
      return false;
    }
    const name = containerId(id, attempt);
    const { version, directory } = this.#cgroups.taskPlace(name);
    this.#attempts.set(id, { id: name, allowedMs: lastRunMs({ stopAfterMs, container }), version, group: directory });
    this.#write();
    return true;
  }

  release(task: TaskId): void {
    const attempt = this.#attempts.get(task);
    if (attempt !== undefined) {
      this.#attempts.delete(task);
      this.#write();
      rmSync(this.#markOf(attempt.id), { force: true });
    }
  }

  releaseAllBut(tasks: ReadonlySet<TaskId>): void {
    [...this.#attempts.keys()].filter(task => !tasks.has(task)).forEach(task => { this.release(task); });
  }

  hasKilled(task: TaskId, attempt: number): boolean {
    return existsSync(this.#markOf(containerId(task, attempt)));
  }

  #markOf(id: string): string {
    return join(this.#directory, 'killed', id);
  }

  #write(): void {
    const heardAtMs = this.#heardAtMs;
    if (heardAtMs === undefined) return;
    const path = join(this.#directory, 'armed');
    writeFileSync(`${path}.new`, formatArmed({ heardAtMs, attempts: [...this.#attempts.values()] }), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    this.#writtenMs = heardAtMs;
  }

  /** @returns an empty text if the file does not exist */
  #read(name: string): string {
    try {
      return readFileSync(join(this.#directory, name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return '';
    }
  }
}
