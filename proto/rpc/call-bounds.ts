import { ClusterError } from '#model/errors.ts';
import type { PeerRole } from '#model/peer-name.ts';

/** What may be open at once at one service of a controller. */
export interface CallLimits {
  /** Of one certificate, over all its connections; of a caller without one: of its address. */
  readonly callsOfOne: number;
  readonly calls: number;
  /** Watches of an operator, sessions of a node: streams that last. They count as calls too. */
  readonly watchesOfOne: number;
  readonly watches: number;
}

/** An operator has 100 a connection besides (MAX_STREAMS in rpc-server.ts); tunnels of agents and controllers are those of others. */
export const CALL_LIMITS: Readonly<Record<PeerRole | 'anyone', CallLimits>> = {
  operator: { callsOfOne: 400, calls: 2_000, watchesOfOne: 200, watches: 1_000 },
  node: { callsOfOne: 1_000, calls: 50_000, watchesOfOne: 32, watches: 20_000 },
  controller: { callsOfOne: 2_000, calls: 20_000, watchesOfOne: 0, watches: 0 },
  monitor: { callsOfOne: 50, calls: 200, watchesOfOne: 0, watches: 0 },
  server: { callsOfOne: 50, calls: 200, watchesOfOne: 0, watches: 0 },
  anyone: { callsOfOne: 50, calls: 500, watchesOfOne: 0, watches: 0 },
};

export type CallKind = 'call' | 'watch';

/** Counts the open calls of a service, by caller and in all. */
export class CallBounds {
  readonly #limits: CallLimits;
  readonly #open = { call: new Map<string, number>(), watch: new Map<string, number>() };
  readonly #inAll = { call: 0, watch: 0 };

  constructor(limits: CallLimits) {
    this.#limits = limits;
  }

  /** Returns what ends the call. @throws ClusterError RESOURCE_EXHAUSTED */
  admit(caller: string, kind: CallKind): () => void {
    const { callsOfOne, calls, watchesOfOne, watches } = this.#limits;
    this.#require(caller, 'call', { ofOne: callsOfOne, inAll: calls });
    if (kind === 'watch') {
      this.#require(caller, 'watch', { ofOne: watchesOfOne, inAll: watches });
    }
    const kinds: readonly CallKind[] = kind === 'watch' ? ['call', 'watch'] : ['call'];
    kinds.forEach(one => { this.#add(caller, one, 1); });
    return () => { kinds.forEach(one => { this.#add(caller, one, -1); }); };
  }

  /** Callers with an open call. */
  get callers(): number {
    return this.#open.call.size;
  }

  #require(caller: string, kind: CallKind, { ofOne, inAll }: { readonly ofOne: number; readonly inAll: number }): void {
    const noun = kind === 'watch' ? 'watches' : 'calls';
    if ((this.#open[kind].get(caller) ?? 0) >= ofOne) {
      throw new ClusterError('RESOURCE_EXHAUSTED', `${caller}: ${String(ofOne)} ${noun} are open, the most of one caller; end some of them`);
    }
    if (this.#inAll[kind] >= inAll) {
      throw new ClusterError('RESOURCE_EXHAUSTED', `controller: ${String(inAll)} ${noun} are open, the most of all callers; try again later or at another controller`);
    }
  }

  #add(caller: string, kind: CallKind, change: 1 | -1): void {
    const open = (this.#open[kind].get(caller) ?? 0) + change;
    this.#inAll[kind] += change;
    if (open === 0) {
      this.#open[kind].delete(caller);
    } else {
      this.#open[kind].set(caller, open);
    }
  }
}
