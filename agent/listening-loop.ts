import type { Clock } from '#kit/clock.ts';
import type { Logger } from '#kit/logger.ts';
import { containersOf } from '#model/companion.ts';
import { settledPorts } from './network/listening-ports.ts';
import { isOnHostNetwork } from './task/host-network.ts';
import type { TaskRecord } from './task/record.ts';

const POLL_MS = 5_000;

export interface ListeningLoopParts {
  /** Ports on which processes of the machine listen, without `own`. */
  readonly read: (own: ReadonlySet<string>) => Promise<readonly string[]>;
  readonly records: () => readonly TaskRecord[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Reports the ports to the controllers. */
  readonly report: (ports: readonly string[]) => void;
}

/** Reports which ports processes of the machine listen on: the scheduler places no task there that publishes one of them. */
export class ListeningLoop {
  readonly #parts: ListeningLoopParts;
  #ports: readonly string[] = [];
  #before: readonly string[] = [];

  constructor(parts: ListeningLoopParts) {
    this.#parts = parts;
  }

  /** The newest that is reported; empty before `start`. */
  get ports(): readonly string[] {
    return this.#ports;
  }

  /** Before the first registration, so that it has the ports. */
  async start(): Promise<void> {
    this.#ports = this.#before = await this.#read() ?? [];
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#parts.clock.sleep(POLL_MS, signal);
      const now = await this.#read();
      if (now !== undefined) this.#settle(now);
    }
  }

  #settle(now: readonly string[]): void {
    const ports = settledPorts(this.#ports, this.#before, now);
    this.#before = now;
    if (ports.join() === this.#ports.join()) return;
    this.#ports = ports;
    this.#parts.report(ports);
  }

  /** Undefined where the tables cannot be read now: what was reported stays. */
  async #read(): Promise<readonly string[] | undefined> {
    try {
      return await this.#parts.read(portsOfTasks(this.#parts.records()));
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'the listening ports of the machine cannot be read; again at the next poll');
      return undefined;
    }
  }
}

/** Declared ports of tasks on the network of the machine: they listen there themselves, and the scheduler knows of them. */
export function portsOfTasks(records: readonly TaskRecord[]): ReadonlySet<string> {
  const ports = records.filter(({ task }) => isOnHostNetwork(task)).flatMap(({ task }) => containersOf(task)).flatMap(container => container.ports);
  return new Set(ports.flatMap(({ protocol, target, published }) => [target, ...(published === undefined ? [] : [published])].map(port => `${protocol}/${String(port)}`)));
}
