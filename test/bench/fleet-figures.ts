/** What the phases of the bench `fleet` took, and what each cost the controllers. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoopBlock } from './benched-controller.ts';
import type { ControlPlane } from './control-plane.ts';
import { rounded } from './report.ts';

const MS_PER_SECOND = 1_000;
const MOST_BLOCKS = 5;

interface Phase {
  readonly name: string;
  readonly startedAtMs: number;
  endedAtMs: number;
}

export class FleetFigures {
  readonly #plane: ControlPlane;
  readonly #tell: (line: string) => void;
  readonly #endAtMs: number;
  readonly #phases: Phase[] = [];
  readonly #notes: Record<string, unknown> = {};
  readonly #failures: string[] = [];

  constructor(plane: ControlPlane, tell: (line: string) => void, limitMs: number) {
    this.#plane = plane;
    this.#tell = tell;
    this.#endAtMs = Date.now() + limitMs;
  }

  /** Does it within the limit and what is left of the bench's time. One that fails has no seconds; the others come. */
  async phase(name: string, limitMs: number, work: (limitMs: number) => Promise<void>): Promise<void> {
    const phase = { name, startedAtMs: Date.now(), endedAtMs: Number.POSITIVE_INFINITY };
    this.#phases.push(phase);
    try {
      await work(Math.max(1, Math.min(limitMs, this.#endAtMs - Date.now())));
      this.#notes[`${name}Seconds`] = rounded((Date.now() - phase.startedAtMs) / MS_PER_SECOND);
    } catch (error) {
      this.#fail(name, error);
    }
    phase.endedAtMs = Date.now();
    const memory = this.#plane.controllers.map(({ peakRssMb }) => `${String(peakRssMb)} MB`).join(', ');
    const seconds = Math.round((phase.endedAtMs - phase.startedAtMs) / MS_PER_SECOND);
    const blockMs = longest(this.#blocksOf(phase))?.blockMs ?? 0;
    this.#tell(`${name}: ${String(seconds)} s, ${memory}, longest block ${String(blockMs)} ms`);
  }

  /** Undefined when it failed. */
  async sample(name: string, measure: () => Promise<number>): Promise<number | undefined> {
    try {
      return await measure();
    } catch (error) {
      this.#fail(name, error);
      return undefined;
    }
  }

  /** @throws Error when it does not become so in time */
  async until(limitMs: number, everyMs: number, isSo: () => Promise<boolean>): Promise<void> {
    const endAtMs = Date.now() + limitMs;
    while (!await isSo()) {
      if (Date.now() > endAtMs) throw new Error(`not so after ${String(Math.round(limitMs / MS_PER_SECOND))} s`);
      await sleep(everyMs);
    }
  }

  note(figures: Readonly<Record<string, unknown>>): void {
    Object.assign(this.#notes, figures);
  }

  all(): Readonly<Record<string, unknown>> {
    const { controllers } = this.#plane;
    return {
      ...this.#notes, failures: this.#failures,
      longestBlockMs: longest(this.#phases.flatMap(phase => this.#blocksOf(phase)))?.blockMs ?? 0,
      peakRssMb: Math.max(...controllers.map(({ peakRssMb }) => peakRssMb)),
      blocks: Object.fromEntries(this.#phases.map(phase => [phase.name, summary(this.#blocksOf(phase))])),
    };
  }

  #blocksOf({ startedAtMs, endedAtMs }: Phase): readonly LoopBlock[] {
    const all = this.#plane.controllers.flatMap(({ blocks }) => blocks);
    return all.filter(({ atMs }) => atMs >= startedAtMs && atMs < endedAtMs);
  }

  #fail(name: string, error: unknown): void {
    const text = `${name}: ${error instanceof Error ? error.message : 'failed'}`;
    this.#failures.push(text);
    this.#tell(text);
  }
}

function summary(blocks: readonly LoopBlock[]): Readonly<Record<string, unknown>> {
  const most = [...blocks].sort((left, right) => right.blockMs - left.blockMs).slice(0, MOST_BLOCKS);
  return { count: blocks.length, longest: most.map(({ blockMs, waitMs, gcMs }) => ({ blockMs, waitMs, gcMs })) };
}

function longest(blocks: readonly LoopBlock[]): LoopBlock | undefined {
  return [...blocks].sort((left, right) => right.blockMs - left.blockMs)[0];
}
