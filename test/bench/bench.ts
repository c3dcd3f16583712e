/** What one bench is: sides that are measured in turn, and goals. */

/** One program under measurement. */
export interface Side {
  readonly name: string;
  /** Measures once more; a few samples in the bench's unit. What it made is gone when it resolves. */
  readonly measure: (runs: number) => Promise<readonly number[]>;
}

export interface Goal {
  /** `ratio.peer`, `ratio.floor`, `gantry.p50`, or `extra.NAME` with further dots. */
  readonly of: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** Everything a bench has set up. `sides` are measured in turn, each round in this order. */
export interface PreparedBench extends AsyncDisposable {
  readonly gantry: Side;
  /** The program to compare with; absent where there is none on this machine. */
  readonly peer?: Side;
  /** The least that this machine can do: the kernel, a bare program. */
  readonly floor?: Side;
  /** Instead of the bench's own. */
  readonly goals?: readonly Goal[];
  /** What else was measured, after the last round. */
  readonly extra: () => Promise<Readonly<Record<string, unknown>>>;
}

export interface Bench {
  readonly unit: string;
  /** True for rates: the ratio is then ours divided by theirs. */
  readonly isMoreBetter: boolean;
  /** Samples of one side in one round, unless `--runs` says otherwise. */
  readonly runs: number;
  readonly goals: readonly Goal[];
  /** True: its sides are at work between the rounds too. That the machine is quiet is seen before `prepare` alone. */
  readonly isAlwaysBusy?: true;
  /** False: it touches no disk and no kernel. */
  readonly needsDisk?: false;
  readonly prepare: (site: BenchSite) => Promise<PreparedBench>;
}

/** Where a bench works. */
export interface BenchSite {
  /** On an ext4 file system with a journal, shared by all sides; gone after the bench. */
  readonly directory: string;
  /** `--install-peer`: apt packages of the peer may be installed. */
  readonly mayInstall: boolean;
  /** Options of this bench alone, by name without dashes. */
  readonly flags: ReadonlyMap<string, string>;
  /** A line for the person who waits. */
  readonly tell: (line: string) => void;
}
