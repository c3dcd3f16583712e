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

/** It looks twice a second; a machine that is busy may keep it from that for a while. Well below SAFE it is not taken for dead. */
const ALIVE_WITHIN_MS = 8_000;
/** So much earlier a time may be armed than could be: a burst of heartbeats is not a write each. */
const REARM_EACH_MS = 200;

/**
 * The agent's side of the deadman: files in a directory of root's alone, on a file system that does not outlive a boot. Calls here are each a few system calls on memory.
 *
 * 1. What is guarded stays so across agents: only `release` ends it. 2. What the deadman reads is wholly an old or wholly a new text. 3. A time that
 * could not be written is an earlier one.
 */
export class DeadmanFs implements Deadman, DeadmanWatch {
  readonly #directory: string;
  readonly #cgroups: Pick<Cgroups, 'taskPlace'>;
  readonly #attempts: Map<TaskId, ArmedAttempt>;
  readonly #heardBeforeMs: number | undefined;
  #heardAtMs: number | undefined;
  /** When the deadman last looked, as far as it was read. */
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

  /** Since the boot, sleep of the machine included. Without a free descriptor it is in whole seconds, rounded down: a time that is armed then is an earlier one. Source: libuv, uv_uptime() */
  uptimeMs(): number {
    return Math.round(uptime() * 1_000);
  }

  /** What an agent before this one heard last: how long ago. Undefined: it guarded nothing. */
  heardAgoMs(): number | undefined {
    return this.#heardBeforeMs === undefined ? undefined : this.uptimeMs() - this.#heardBeforeMs;
  }

  /** The deadman writes its file anew in place: one that is read in between is empty, and says nothing. */
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
      // No room: the earlier time stays, which is tried again with the next heartbeat. The session goes on.
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

  /** Empty where it is not there. */
  #read(name: string): string {
    try {
      return readFileSync(join(this.#directory, name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return '';
    }
  }
}
