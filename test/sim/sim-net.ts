/** The network between processes: each direction of each pair has its delay, may be cut, and keeps the order of what it carries. */
import type { Random } from './random.ts';
import type { SimTime } from './sim-time.ts';

/** TCP finds another way, or the peer closes: gRPC's keepalive ends a stream that carried nothing for this long. Source: keepalive of proto/rpc, 5 s + 5 s. */
export const BREAK_AFTER_MS = 10_000;

interface Parcel {
  readonly dueMs: number;
  readonly deliver: () => void;
}

/** One direction. */
interface Lane {
  isCut: boolean;
  lastDueMs: number;
  waiting: Parcel[];
}

export class SimNet {
  readonly #time: SimTime;
  readonly #random: Random;
  /** By where they begin, then by where they end. */
  readonly #lanes = new Map<string, Map<string, Lane>>();
  /** Longest delay of one message, by the name of either end. */
  readonly #slow = new Map<string, number>();

  constructor(time: SimTime, random: Random) {
    this.#time = time;
    this.#random = random;
  }

  isCut(from: string, to: string): boolean {
    return this.#lane(from, to).isCut;
  }

  cut(from: string, to: string): void {
    this.#lane(from, to).isCut = true;
  }

  /** What was sent meanwhile arrives now, as TCP sends it again. */
  heal(from: string, to: string): void {
    const lane = this.#lane(from, to);
    lane.isCut = false;
    const waiting = lane.waiting;
    lane.waiting = [];
    waiting.forEach(({ deliver }) => { this.#carry(lane, this.#time.nowMs + this.#delayMs(from, to), deliver); });
  }

  slow(name: string, maxDelayMs: number): void {
    this.#slow.set(name, maxDelayMs);
  }

  fast(name: string): void {
    this.#slow.delete(name);
  }

  /** In order; while the lane is cut it waits. */
  send(from: string, to: string, deliver: () => void): void {
    this.#carry(this.#lane(from, to), this.#time.nowMs + this.#delayMs(from, to), deliver);
  }

  /** Out of order, up to `lateMs` after what is sent with it. */
  sendLate(from: string, to: string, lateMs: number, deliver: () => void): void {
    const lane = this.#lane(from, to);
    const dueMs = this.#time.nowMs + this.#delayMs(from, to) + this.#random.between(0, lateMs);
    this.#time.at(dueMs, () => {
      if (lane.isCut) {
        lane.waiting.push({ dueMs, deliver });
      } else {
        deliver();
      }
    });
  }

  #carry(lane: Lane, dueMs: number, deliver: () => void): void {
    const parcel = { dueMs: Math.max(dueMs, lane.lastDueMs), deliver };
    lane.lastDueMs = parcel.dueMs;
    this.#time.at(parcel.dueMs, () => {
      if (lane.isCut) {
        lane.waiting.push(parcel);
      } else {
        deliver();
      }
    });
  }

  #delayMs(from: string, to: string): number {
    const slowMs = this.#slow.size === 0 ? 0 : Math.max(this.#slow.get(from) ?? 0, this.#slow.get(to) ?? 0);
    return this.#random.between(1, 3) + (slowMs === 0 ? 0 : this.#random.between(0, slowMs));
  }

  #lane(from: string, to: string): Lane {
    const known = this.#lanes.get(from)?.get(to);
    if (known !== undefined) {
      return known;
    }
    const lane: Lane = { isCut: false, lastDueMs: 0, waiting: [] };
    this.#lanes.set(from, (this.#lanes.get(from) ?? new Map<string, Lane>()).set(to, lane));
    return lane;
  }
}
