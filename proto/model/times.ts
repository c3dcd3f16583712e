/** The times of reliability.md section 2, as one table with its `test` preset. All in milliseconds. */
export interface Times {
  /** Agent heartbeat on the session stream (HB). */
  readonly heartbeatMs: number;
  /** Silence until a Node is `lost` (LOST). */
  readonly lostMs: number;
  /** Further silence until its Tasks are replaced (EVICT); LOST + EVICT is the default `replace_after`. */
  readonly evictMs: number;
  /** Leadership lease (LEASE). */
  readonly leaseMs: number;
  /** Own event-loop gap that restarts all silence counters (STALL). */
  readonly stallMs: number;
  /** Full re-read of etcd beside the watch (RELIST). */
  readonly relistMs: number;
  /** Window in which MASS nodes must turn silent to open the breaker. */
  readonly massWindowMs: number;
  /** At most this often one node is evicted. */
  readonly evictPaceMs: number;
  /** How long the first tasks of a service without a health check must run before it is settled. */
  readonly firstWatchMs: number;
}

/** Share of nodes that opens the mass breaker, and the least number of nodes. */
export const MASS = { share: 0.5, nodes: 2 } as const;

export const DEFAULT_TIMES: Times = {
  heartbeatMs: 2_000, lostMs: 20_000, evictMs: 30_000, leaseMs: 10_000, stallMs: 2_000, relistMs: 60_000,
  massWindowMs: 60_000, evictPaceMs: 10_000, firstWatchMs: 2_000,
};

export const TEST_TIMES: Times = {
  heartbeatMs: 500, lostMs: 4_000, evictMs: 2_000, leaseMs: 3_000, stallMs: 500, relistMs: 5_000,
  massWindowMs: 60_000, evictPaceMs: 1_000, firstWatchMs: 300,
};

/** `--times default|test` of controllers; agents are told by their controller. */
export const TIMES_PRESETS = { default: DEFAULT_TIMES, test: TEST_TIMES } as const;
