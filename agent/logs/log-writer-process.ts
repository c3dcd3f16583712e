import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startProcess, TOOL_PATH } from '#kit/command-process.ts';
import type { Clock } from '#kit/clock.ts';
import { signalProcess } from '../kernel/pidfd-syscall.ts';
import { isRunning } from '../runtime/container-record-fs.ts';
import { workerEntryUrl } from '../snapshot/worker-entry.ts';
import { readLogWriter } from './log-writer-file-fs.ts';

/** Its buffers are outside the heap. */
const MAX_HEAP_MIB = 64;
const EXIT_POLL_MS = 5;

/** The process that writes the logs of this node's containers, as its agent sees it: started when there is none, and never ended with the agent. */
export class LogWriterProcess {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #program = fileURLToPath(workerEntryUrl('log-writer-worker', import.meta.url));
  readonly #build = createHash('sha256').update(readFileSync(this.#program)).digest('hex');
  /** Started by this agent, and not ended yet. */
  #child: ReturnType<typeof startProcess> | undefined;

  /** @param directory  of the runtime, where its records are */
  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Returns true if a writer of any build runs. */
  isAtWork(): boolean {
    const known = readLogWriter(this.#directory);
    return known !== undefined && isRunning(known.process);
  }

  /** Starts the log writer, unless one of this build is at work. @throws what keeps the program from starting */
  ensure(): void {
    const known = readLogWriter(this.#directory);
    if (this.#child !== undefined || (known?.build === this.#build && isRunning(known.process))) {
      return;
    }
    const errors = openSync(`${this.#directory}/log-writer.err`, 'w', 0o600);
    try {
      const child = startProcess(process.execPath, [
        `--max-old-space-size=${String(MAX_HEAP_MIB)}`, '--max-semi-space-size=1', '--disable-warning=ExperimentalWarning', this.#program, this.#directory, this.#build,
      ], { detached: true, stdio: ['ignore', 'ignore', errors], cwd: '/', env: { PATH: TOOL_PATH, LC_ALL: 'C', UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' } });
      this.#child = child;
      const onEnd = (): void => { this.#child = undefined; };
      child.on('error', onEnd).on('exit', onEnd);
      child.unref();
    } finally {
      closeSync(errors);
    }
  }

  /** Ends it, for a node that leaves its cluster; also one that is still starting. */
  async end(): Promise<void> {
    this.#child?.kill('SIGTERM');
    const known = readLogWriter(this.#directory);
    const isIt = (): boolean => this.#child !== undefined || (known !== undefined && isRunning(known.process));
    if (known !== undefined) signalProcess(known.process.pid, 'SIGTERM', () => isRunning(known.process));
    while (isIt()) await this.#clock.sleep(EXIT_POLL_MS, new AbortController().signal);
  }
}
