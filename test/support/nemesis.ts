import { setTimeout as sleep } from 'node:timers/promises';
import { webApp } from './fault-apps.ts';
import type { FaultBench } from './fault-bench.ts';

const MAX_FAULT_MS = 8_000;
const MAX_GAP_MS = 2_500;
const DIRECTIONS = ['both', 'in', 'out'] as const;
const COLORS = ['blue', 'green', 'red'];

/** `random()` in 0 <= x < 1, seeded: the same seed picks the same faults in the same order. */
export type Random = () => number;

interface Fault {
  /** What is out of order meanwhile: one fault at a time for each. */
  readonly target: string;
  readonly text: string;
  begin(): Promise<void>;
  end(): Promise<void>;
}

/** Picks faults and operations until the time is over, several at once, then undoes them all. What it did is in `story`. */
export class Nemesis {
  readonly story: string[] = [];
  readonly #bench: FaultBench;
  readonly #random: Random;
  readonly #port: number;
  readonly #busy = new Set<string>();
  readonly #startedAtMs = performance.now();

  constructor(bench: FaultBench, random: Random, port: number) {
    this.#bench = bench;
    this.#random = random;
    this.#port = port;
  }

  async run(durationMs: number): Promise<void> {
    const open: Promise<void>[] = [];
    while (performance.now() - this.#startedAtMs < durationMs) {
      const fault = this.#pick();
      const fromMs = Math.round(this.#random() * MAX_FAULT_MS);
      const gapMs = Math.round(this.#random() * MAX_GAP_MS);
      if (!this.#busy.has(fault.target)) {
        open.push(this.#inflict(fault, fromMs));
      }
      await sleep(gapMs);
    }
    await Promise.all(open);
    await this.#bench.heal();
  }

  async #inflict(fault: Fault, lastsMs: number): Promise<void> {
    this.#busy.add(fault.target);
    this.story.push(`${String(Math.round(performance.now() - this.#startedAtMs))} ms: ${fault.text}, for ${String(lastsMs)} ms`);
    await fault.begin();
    await sleep(lastsMs);
    await fault.end();
    this.#busy.delete(fault.target);
  }

  #pick(): Fault {
    const nodes = this.#bench.cluster.layout.nodes.map(node => node.name);
    const processes = [...nodes, ...this.#bench.cluster.layout.controllers.map(one => one.name), 'etcd', 'nats'];
    const roll = this.#random();
    if (roll < 0.35) {
      return this.#killing(this.#one(processes));
    }
    if (roll < 0.55) {
      return this.#freezing(this.#one(processes));
    }
    if (roll < 0.8) {
      return this.#cutting(this.#one(nodes), this.#one(DIRECTIONS));
    }
    return roll < 0.9 ? this.#scaling(2 + Math.floor(this.#random() * 4)) : this.#rolling(this.#one(COLORS));
  }

  #killing(name: string): Fault {
    let killed: number | undefined;
    return {
      target: name, text: `kill ${name}`,
      begin: async () => { killed = await this.#bench.running(name); this.#bench.kill(name); }, end: async () => { await this.#bench.running(name, killed); },
    };
  }

  #freezing(name: string): Fault {
    return {
      target: name, text: `freeze ${name}`,
      begin: async () => { await this.#bench.running(name); await this.#bench.freeze(name); },
      end: async () => { await this.#bench.goOn(name); },
    };
  }

  #cutting(node: string, direction: (typeof DIRECTIONS)[number]): Fault {
    return {
      target: `link of ${node}`, text: `cut ${node} (${direction})`,
      begin: async () => { await this.#bench.cut(node, direction); }, end: async () => { await this.#bench.mend(node); },
    };
  }

  /** What an operator asks for may be refused meanwhile. */
  #scaling(replicas: number): Fault {
    return {
      target: 'operator', text: `scale to ${String(replicas)}`,
      begin: async () => { await this.#bench.cluster.tryCtl('scale', `load/web=${String(replicas)}`, '--timeout', '10s'); }, end: () => Promise.resolve(),
    };
  }

  #rolling(color: string): Fault {
    return {
      target: 'operator', text: `roll out ${color}`,
      begin: async () => { await this.#bench.cluster.tryApply(webApp({ port: this.#port, replicas: 3, color }), '--timeout', '10s'); }, end: () => Promise.resolve(),
    };
  }

  #one<T>(values: readonly T[]): T {
    const value = values[Math.floor(this.#random() * values.length)];
    if (value === undefined) {
      throw new RangeError('there is nothing to pick from');
    }
    return value;
  }
}
