import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EtcdTls } from '../support/etcd-process.ts';
import type { TestAuthority } from '../support/rpc-cluster.ts';
import { rssMib } from './process-memory.ts';

const PROGRAM = path.join(import.meta.dirname, '../../deploy/bin/gantry-controller');
const PROBE = path.join(import.meta.dirname, 'loop-probe.mjs');
const HEAP_PROBE = path.join(import.meta.dirname, 'heap-probe.mjs');
const HEAP_LOOK_MS = 20;
const HEAP_LOOKS = 1_500;
const MS_PER_TICK = 10;
const BYTES_PER_KIB = 1_024;
const BYTES_PER_MB = 1e6;

export interface BenchedControllerOptions {
  readonly id: string;
  readonly address: string;
  /** Its files are in a folder below it. */
  readonly directory: string;
  readonly authority: TestAuthority;
  readonly etcd: EtcdTls & { readonly host: string };
  readonly nats: string;
  /** For `liveHeapBytes`. */
  readonly hasHeapProbe?: boolean;
}

/** A time for which the event loop stood still. */
export interface LoopBlock {
  /** Its end, by the wall clock. */
  readonly atMs: number;
  /** Without the time for which its thread waited for a processor, which others had. */
  readonly blockMs: number;
  readonly cpuMs: number;
  /** For a processor, besides. */
  readonly waitMs: number;
  readonly gcMs: number;
}

/** One controller as it ships, with a probe of its event loop. */
export class BenchedController implements AsyncDisposable {
  readonly address: string;
  readonly #arguments: readonly string[];
  readonly #loopFile: string;
  /** Empty without a probe of the heap. */
  readonly #heapFile: string;
  #child: ChildProcess | undefined;

  private constructor(options: BenchedControllerOptions, given: readonly string[], folder: string) {
    this.address = options.address;
    this.#arguments = given;
    this.#loopFile = path.join(folder, 'blocks');
    this.#heapFile = options.hasHeapProbe === true ? path.join(folder, 'heap') : '';
  }

  /** Makes its files. `run` starts it. */
  static async prepare(options: BenchedControllerOptions): Promise<BenchedController> {
    const { id, address, directory, authority, etcd, nats } = options;
    const folder = await mkdtemp(path.join(directory, `${id}-`));
    const { pair } = await authority.identity('controller', id);
    const files = {
      'ca.pem': authority.keys.certificatePem, 'ca-key.pem': authority.keys.keyPem,
      'certificate.pem': pair?.certificatePem ?? '', 'key.pem': pair?.keyPem ?? '', 'secrets.key': '07'.repeat(32),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text, { mode: 0o600 });
    return new BenchedController(options, [
      '--id', id, '--listen', address, '--config-dir', folder, '--log-level', 'warn', '--nats', nats,
      '--etcd', etcd.host, '--etcd-ca', etcd.caFile, '--etcd-cert', etcd.certificateFile, '--etcd-key', etcd.keyFile,
    ], folder);
  }

  /** Starts it, again after `kill`. */
  run(): void {
    const probes = this.#heapFile === '' ? [PROBE] : [PROBE, HEAP_PROBE];
    const options = [process.env['NODE_OPTIONS'] ?? '', ...probes.map(probe => `--import=${probe}`)].join(' ').trim();
    const heap = this.#heapFile === '' ? {} : { GANTRY_BENCH_HEAP_FILE: this.#heapFile };
    this.#child = spawn(PROGRAM, this.#arguments, {
      // Audit lines go to standard error: one for each write.
      stdio: ['ignore', 'ignore', process.env['GANTRY_BENCH_LOGS'] === undefined ? 'ignore' : 'inherit'],
      env: { ...process.env, NODE_OPTIONS: options, GANTRY_BENCH_LOOP_FILE: this.#loopFile, ...heap },
    });
  }

  /** Bytes left after all garbage was collected; only with `hasHeapProbe`. */
  async liveHeapBytes(): Promise<number> {
    rmSync(this.#heapFile, { force: true });
    process.kill(this.pid, 'SIGUSR2');
    for (let look = 0; look < HEAP_LOOKS; look += 1) {
      if (existsSync(this.#heapFile)) return Number(readFileSync(this.#heapFile, 'utf8'));
      await sleep(HEAP_LOOK_MS);
    }
    throw new Error('the heap probe of the controller does not answer');
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill(signal);
      await exited;
    }
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Processor time that it has had, its threads' included, in milliseconds. Source: proc_pid_stat(5): utime and stime, in ticks of 10 ms */
  get cpuMs(): number {
    const stat = readFileSync(`/proc/${String(this.pid)}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  }

  get rssMib(): number {
    return rssMib(this.pid);
  }

  /** The most that it ever had. Source: proc_pid_status(5), VmHWM */
  get peakRssMb(): number {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${String(this.pid)}/status`, 'utf8'))?.[1];
    return Math.round((Number(kib) * BYTES_PER_KIB) / BYTES_PER_MB);
  }

  /** All since it was started first. */
  get blocks(): readonly LoopBlock[] {
    const text = existsSync(this.#loopFile) ? readFileSync(this.#loopFile, 'utf8') : '';
    return text.split('\n').filter(line => line.endsWith('}')).map(line => JSON.parse(line) as LoopBlock);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill(process.env['NODE_OPTIONS'] === undefined ? 'SIGKILL' : 'SIGTERM');
  }
}
