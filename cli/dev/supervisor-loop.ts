import { open } from 'node:fs/promises';
import type { ChildProcess } from 'node:child_process';
import type { Clock } from '#kit/clock.ts';
import { startProcess, TOOL_PATH } from '#kit/command-process.ts';
import type { ClusterFile, DevProcess } from './cluster-file.ts';
import { hasJoined, listDown, readEnvironment, writeClusterFile } from './cluster-fs.ts';
import type { ProcessSpec } from './process-table.ts';

/** How long a process that ended stays down. */
const RESTART_DELAY_MS = 1_000;
/** How often a process that may not run yet is looked at again. */
const LOOK_AGAIN_MS = 100;

/**
 * Keeps the processes of a local cluster running: what systemd does on a real machine.
 *
 * Each child has its own session and logs to a file, so that the end of the supervisor ends none of them. When `signal` aborts, the
 * children are left as they are: `dev down` ends them.
 */
export class SupervisorLoop {
  readonly #clock: Clock;
  readonly #specs: readonly ProcessSpec[];
  readonly #pids = new Map<string, number>();
  #file: ClusterFile;
  #writes: Promise<void> = Promise.resolve();

  constructor(file: ClusterFile, specs: readonly ProcessSpec[], clock: Clock) {
    this.#file = file;
    this.#specs = specs;
    this.#clock = clock;
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#specs.map(async spec => { await this.#keepRunning(spec, signal); }));
  }

  async #keepRunning(spec: ProcessSpec, signal: AbortSignal): Promise<void> {
    for (;;) {
      while (!(await this.#mayRun(spec))) {
        await this.#clock.sleep(LOOK_AGAIN_MS, signal);
      }
      const child = await this.#start(spec);
      await this.#ended(child, signal);
      this.#pids.delete(spec.name);
      await this.#save();
      const isDown = (await listDown(this.#file.layout)).has(spec.name);
      await this.#clock.sleep(isDown ? 0 : RESTART_DELAY_MS, signal);
    }
  }

  /** Not while marked down; an agent not before its node has joined. */
  async #mayRun(spec: ProcessSpec): Promise<boolean> {
    const { layout } = this.#file;
    const isMember = spec.node === undefined || hasJoined(layout, { name: spec.node });
    return isMember && !(await listDown(layout)).has(spec.name);
  }

  async #start(spec: ProcessSpec): Promise<ChildProcess> {
    const log = await open(`${this.#file.layout.stateDir}/logs/${spec.name}.log`, 'a');
    try {
      const child = startProcess(spec.program, spec.args, {
        detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/',
        env: { PATH: TOOL_PATH, LC_ALL: 'C', HOME: '/root', ...(await readEnvironment(this.#file.layout, spec.name)) },
      });
      if (child.pid !== undefined) {
        this.#pids.set(spec.name, child.pid);
      }
      await this.#save();
      return child;
    } finally {
      await log.close();
    }
  }

  async #ended(child: ChildProcess, signal: AbortSignal): Promise<void> {
    const ended = Promise.withResolvers<undefined>();
    const onAbort = (): void => { ended.reject(signal.reason as Error); };
    child.on('exit', () => { ended.resolve(undefined); });
    child.on('error', () => { ended.resolve(undefined); });
    if (child.exitCode !== null || child.signalCode !== null) {
      ended.resolve(undefined);
    }
    signal.addEventListener('abort', onAbort);
    try {
      await ended.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Writes cluster.json, one write after another. */
  async #save(): Promise<void> {
    const processes = this.#specs.map((spec): DevProcess => {
      const pid = this.#pids.get(spec.name);
      return { name: spec.name, kind: spec.kind, ...(spec.node === undefined ? {} : { node: spec.node }), ...(pid === undefined ? {} : { pid }) };
    });
    this.#file = { ...this.#file, processes };
    const file = this.#file;
    this.#writes = this.#writes.then(async () => { await writeClusterFile(file); });
    await this.#writes;
  }
}
