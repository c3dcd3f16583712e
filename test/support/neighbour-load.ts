import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** What was measured of a polite service, with and without an attack beside it. */
export interface BesideAttack {
  /** The median of the rounds' 99th percentiles. */
  readonly quietMs: number;
  readonly besideMs: number;
  readonly failures: readonly string[];
  /** The 99th percentile of each round, in order: quiet, beside, quiet, beside ... */
  readonly roundsMs: readonly number[];
}

/** Attacks until the signal. */
export type Attack = (signal: AbortSignal) => Promise<void>;

const PROGRAM = path.join(import.meta.dirname, 'neighbour-load-process.ts');
const PER_SECOND = 100;
const REQUESTS_A_ROUND = 300;
const ROUNDS = 3;

/** A polite service that is asked at a steady rate; measured in turns, quiet and beside an attack, as the machine may be busy with other things. */
export class NeighbourLoad implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(url: string) {
    this.#child = spawn(process.execPath, [PROGRAM, url, String(PER_SECOND)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  async beside(attack: Attack): Promise<BesideAttack> {
    const quiet: number[] = [];
    const beside: number[] = [];
    const failures: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      quiet.push(await this.#p99(failures));
      const ending = new AbortController();
      const attacking = attack(ending.signal);
      try {
        beside.push(await Promise.race([this.#p99(failures), attacking.then(() => { throw new Error('the attack ended by itself'); })]));
      } finally {
        ending.abort();
        await attacking;
      }
    }
    const roundsMs = quiet.flatMap((ms, index) => [ms, beside[index] ?? 0]);
    return { quietMs: median(quiet), besideMs: median(beside), failures, roundsMs };
  }

  async #p99(failures: string[]): Promise<number> {
    this.#child.stdin.write(`${String(REQUESTS_A_ROUND)}\n`);
    const { value } = await this.#lines.next() as { readonly value: string };
    const round = JSON.parse(value) as { readonly failures: readonly string[]; readonly timesMs: readonly number[] };
    failures.push(...round.failures);
    return round.timesMs[Math.floor(round.timesMs.length * 0.99)] ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, 'close');
  }
}

/** Resolves when the signal aborts. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}
