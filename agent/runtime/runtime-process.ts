/** crun, runc and whatever else runtime-drivers.ts names: the only module that calls them. */
import { mkdirSync, rmSync } from 'node:fs';
import { ClusterError } from '#model/errors.ts';
import { requireContainerId } from './container-id.ts';
import type { ContainerState } from './ports.ts';
import { runtimeDriver } from './runtime-drivers.ts';
import { startByFifo } from './start-fifo-fs.ts';
import { runTool } from './tool-process.ts';

/** A runtime that takes longer is taken for hung. */
const CALL_TIMEOUT_MS = 30_000;
const STATES: Readonly<Record<string, ContainerState>> = { creating: 'created', created: 'created', running: 'running', paused: 'running', stopped: 'stopped' };

export interface RuntimeProgram {
  /** As in runtime-drivers.ts. */
  readonly name: string;
  /** Absolute path. */
  readonly program: string;
  /** State directory of this runtime alone; nothing else lives in its parent. */
  readonly root: string;
}

export class RuntimeProcess {
  readonly program: string;
  readonly root: string;
  readonly givesTerminal: boolean;
  readonly hasHostProcesses: boolean;
  readonly #unknownId: RegExp;
  readonly #startFifo: string | undefined;
  readonly #isForgottenByDirectory: boolean;

  constructor(runtime: RuntimeProgram) {
    this.program = runtime.program;
    this.root = runtime.root;
    const driver = runtimeDriver(runtime.name);
    this.givesTerminal = driver.givesTerminal;
    this.hasHostProcesses = driver.hasHostProcesses;
    this.#unknownId = driver.unknownId;
    this.#startFifo = driver.startFifo;
    this.#isForgottenByDirectory = driver.isForgottenByDirectory;
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
  }

  async start(id: string): Promise<void> {
    const isStarted = this.#startFifo !== undefined && startByFifo(`${this.root}/${requireContainerId(id)}/${this.#startFifo}`);
    if (!isStarted) await this.#require(['start', requireContainerId(id)]);
  }

  async state(id: string): Promise<ContainerState> {
    const outcome = await this.#call(['state', requireContainerId(id)]);
    if (outcome.code !== 0) {
      if (this.#unknownId.test(outcome.output)) {
        return 'absent';
      }
      throw this.#failure('state', outcome);
    }
    const status = (JSON.parse(outcome.output) as { readonly status?: string }).status ?? '';
    return STATES[status] ?? 'stopped';
  }

  /** Signals the first process; one that is gone is fine. */
  async kill(id: string, signal: string): Promise<void> {
    const outcome = await this.#call(['kill', requireContainerId(id), signal]);
    if (outcome.code !== 0 && await this.state(id) === 'running') {
      throw this.#failure('kill', outcome);
    }
  }

  /** Kills what still runs and forgets the container; an unknown one is fine. */
  async delete(id: string): Promise<void> {
    const outcome = await this.#call(['delete', '--force', requireContainerId(id)]);
    if (outcome.code !== 0 && await this.state(id) !== 'absent') {
      throw this.#failure('delete', outcome);
    }
  }

  /**
   * Forgets a container of which no process is left. Its control groups, which the program would remove besides, are the caller's; it has no hooks and no Intel RDT.
   *
   * Source: crun 1.21, src/libcrun/container.c, container_delete_internal, and status.c, libcrun_container_delete_status; runc 1.1, libcontainer/state_linux.go, destroy
   */
  async forget(id: string): Promise<void> {
    if (this.#isForgottenByDirectory) {
      rmSync(`${this.root}/${requireContainerId(id)}`, { recursive: true, force: true });
    } else {
      await this.delete(id);
    }
  }

  async list(): Promise<readonly string[]> {
    const outcome = await this.#require(['list', '-q']);
    return outcome.output.split('\n').filter(line => line !== '');
  }

  /** Arguments of an exec whose process is in a file: `exec --user` runs as root in crun 1.19 to 1.26. */
  execArgs(id: string, files: { readonly process: string; readonly pid: string; readonly consoleSocket?: string }): readonly string[] {
    const console = files.consoleSocket === undefined ? [] : ['--console-socket', files.consoleSocket];
    return ['--root', this.root, 'exec', '--process', files.process, '--pid-file', files.pid, ...console, requireContainerId(id)];
  }

  /** Arguments of a container that runs in front, with the runtime's stdio as its own. */
  runArgs(id: string, bundlePath: string, files: { readonly pid: string; readonly consoleSocket?: string }): readonly string[] {
    const console = files.consoleSocket === undefined ? [] : ['--console-socket', files.consoleSocket];
    return ['--root', this.root, 'run', '--bundle', bundlePath, '--pid-file', files.pid, ...console, requireContainerId(id)];
  }

  async #require(args: readonly string[]): ReturnType<typeof runTool> {
    const outcome = await this.#call(args);
    if (outcome.code !== 0) {
      throw this.#failure(args[0] ?? '', outcome);
    }
    return outcome;
  }

  #call(args: readonly string[]): ReturnType<typeof runTool> {
    return runTool(this.program, ['--root', this.root, ...args], CALL_TIMEOUT_MS);
  }

  #failure(verb: string, outcome: { readonly code: number; readonly output: string }): ClusterError {
    return new ClusterError('FAILED_PRECONDITION', `${this.program} ${verb}: exit ${String(outcome.code)}: ${outcome.output.trim()}`);
  }
}
