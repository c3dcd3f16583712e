/** Virtual time for many processes in one: what each sees of it, and what a pause, a jump or a kill does to what waits. */
import type { Clock } from '#kit/clock.ts';
import { T0 } from '../support/builders.ts';

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  work: (() => void) | undefined;
}

/** One heap of timers. Ties go in the order of their making, so that the same calls give the same run. */
export class SimTime {
  #nowMs = 0;
  #made = 0;
  #run = 0;
  readonly #heap: Timer[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs `work` at `dueMs` unless the returned function is called before. */
  at(dueMs: number, work: () => void): () => void {
    const timer: Timer = { dueMs: Math.max(dueMs, this.#nowMs), order: this.#made, work };
    this.#made += 1;
    this.#push(timer);
    return () => { timer.work = undefined; };
  }

  after(durationMs: number, work: () => void): () => void {
    return this.at(this.#nowMs + Math.max(0, durationMs), work);
  }

  /** Lets time pass; between two timers all that waits for no time runs to its end. `isOver` is asked after each. */
  async runUntil(endMs: number, isOver: () => boolean): Promise<void> {
    await turn();
    for (let next = this.#heap[0]; next !== undefined && next.dueMs <= endMs && !isOver(); next = this.#heap[0]) {
      this.#pop();
      if (next.work !== undefined) {
        this.#nowMs = next.dueMs;
        next.work();
        this.#run += 1;
        await new Promise<void>(settle);
        if (this.#run % TIMERS_PER_TURN === 0) await turn();
      }
    }
    this.#nowMs = Math.max(this.#nowMs, isOver() ? this.#nowMs : endMs);
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(timer);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, timer)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = heap[2 * index + 1];
      const right = heap[2 * index + 2];
      const smaller = right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
      if (smaller === undefined || isBefore(last, smaller)) break;
      heap[index] = smaller;
      index = smaller === left ? 2 * index + 1 : 2 * index + 2;
    }
    heap[index] = last;
  }
}

function isBefore(left: Timer, right: Timer): boolean {
  return left.dueMs < right.dueMs || (left.dueMs === right.dueMs && left.order < right.order);
}

/** Timers between two turns of the event loop, for those parts that let it turn once. Turning it after each would cost more than the work. */
const TIMERS_PER_TURN = 16;

/** Once no promise work is left, also none that it made. Source: Node.js, process.nextTick: its queue is run then */
function settle(resolve: () => void): void {
  process.nextTick(resolve);
}

async function turn(): Promise<void> {
  await new Promise<void>(settle);
  await new Promise<void>(resolve => { setImmediate(resolve); });
  await new Promise<void>(settle);
}

/** What waits under each signal: one listener for all of it, since a wait is mostly over before its signal aborts, and a listener costs more than the rest of it. */
const WAITING = new WeakMap<AbortSignal, Set<() => void>>();

/** To be told, in the order of adding, when the signal aborts; take out what is over. */
export function waitingUnder(signal: AbortSignal): Set<() => void> {
  const known = WAITING.get(signal);
  if (known !== undefined) {
    return known;
  }
  const waiting = new Set<() => void>();
  WAITING.set(signal, waiting);
  signal.addEventListener('abort', () => { waiting.forEach(wake => { wake(); }); }, { once: true });
  return waiting;
}

/**
 * One life of one process: its clock, and the door through which anything from outside comes in.
 *
 * 1. While it is paused nothing comes in; all that was due comes at once when it goes on. 2. Once it is killed nothing comes in ever again: what
 * it waits for never ends, as after kill -9. 3. Its monotonic clock starts at its birth and goes on while it is paused.
 */
export class SimProcess implements Clock {
  readonly #time: SimTime;
  readonly #bornMs: number;
  #wallOffsetMs: number;
  #state: 'running' | 'paused' | 'dead' = 'running';
  #held: (() => void)[] = [];

  constructor(time: SimTime, wallOffsetMs = 0) {
    this.#time = time;
    this.#bornMs = time.nowMs;
    this.#wallOffsetMs = wallOffsetMs;
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  nowMs(): number {
    return Math.floor(T0 + this.#time.nowMs + this.#wallOffsetMs);
  }

  monotonicMs(): number {
    return this.#time.nowMs - this.#bornMs;
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  enter(work: () => void): void {
    if (this.#state === 'running') {
      work();
    } else if (this.#state === 'paused') {
      this.#held.push(work);
    }
  }

  pause(): void {
    this.#state = this.#state === 'running' ? 'paused' : this.#state;
  }

  resume(): void {
    if (this.#state === 'paused') {
      this.#state = 'running';
      const held = this.#held;
      this.#held = [];
      held.forEach(work => { work(); });
    }
  }

  kill(): void {
    this.#state = 'dead';
    this.#held = [];
  }

  /** As `work` runs at another place: its end comes in through the door. */
  answer<Result>(work: (resolve: (result: Result) => void, reject: (error: unknown) => void) => void): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      work(result => { this.enter(() => { resolve(result); }); }, (error: unknown) => { this.enter(() => { reject(error instanceof Error ? error : new Error(String(error))); }); });
    });
  }

  /** Promise work that is there already comes first. */
  async turn(): Promise<void> {
    await Promise.resolve();
  }

  /** Source: Node.js, timers: a delay below 1 ms is 1 ms, and none ends early. */
  after(durationMs: number, work: () => void): () => void {
    let isOff = false;
    const stop = this.#time.after(Math.max(1, Math.ceil(durationMs)), () => { this.enter(() => { if (!isOff) work(); }); });
    return () => {
      isOff = true;
      stop();
    };
  }

  sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      signal.throwIfAborted();
      const waiting = waitingUnder(signal);
      const wake = (): void => {
        waiting.delete(onAbort);
        resolve();
      };
      const stop = this.after(durationMs, wake);
      const onAbort = (): void => {
        stop();
        reject(signal.reason as Error);
      };
      waiting.add(onAbort);
    });
  }
}
