import type { NodeTable } from './node-table.ts';

/** A number for each row, the lower the better: `rank[bucketOf[row]]`. */
export interface RankColumn {
  readonly bucketOf: Int32Array;
  readonly rank: Float64Array;
}

/** How many tasks stand on nodes with each value of some labels, by rows of the table. */
export class LabelCounts {
  readonly #table: NodeTable;
  readonly #labels: readonly string[];
  readonly #rows: number[] = [];
  /** Made when first asked for: most services have few tasks, which nobody asks about. */
  #columns: ReadonlyMap<string, RankColumn> | undefined;

  constructor(table: NodeTable, labels: readonly string[], rows: readonly number[]) {
    this.#table = table;
    this.#labels = labels;
    rows.forEach(row => { this.add(row); });
  }

  /** All tasks that were counted in. */
  get total(): number {
    return this.#rows.length;
  }

  add(row: number): void {
    this.#rows.push(row);
    this.#columns?.forEach(column => { addTo(column, row); });
  }

  /** Tasks on nodes that have the same value of `label` as the node of `row`. */
  count(label: string, row: number): number {
    const column = this.#rows.length === 0 ? undefined : this.#made().get(label);
    return column?.rank[column.bucketOf[row] ?? 0] ?? 0;
  }

  /** The counts themselves, which go on changing. @throws RangeError for a label that is not counted */
  column(label: string): RankColumn {
    const column = this.#made().get(label);
    if (column === undefined) {
      throw new RangeError(`label ${label} is not counted`);
    }
    return column;
  }

  /** Gives the columns back to the table, empty: columns of as many numbers as there are nodes are dear to make for each service. */
  release(): void {
    for (const [label, { bucketOf, rank }] of this.#columns ?? []) {
      this.#rows.forEach(row => { rank[bucketOf[row] ?? 0] = 0; });
      this.#table.giveBack(label, rank);
    }
    this.#columns = undefined;
  }

  #made(): ReadonlyMap<string, RankColumn> {
    this.#columns ??= new Map(this.#labels.map(label => {
      const column = { bucketOf: this.#table.buckets(label).bucketOf, rank: this.#table.borrow(label) };
      this.#rows.forEach(row => { addTo(column, row); });
      return [label, column];
    }));
    return this.#columns;
  }
}

function addTo({ bucketOf, rank }: RankColumn, row: number): void {
  const bucket = bucketOf[row] ?? 0;
  rank[bucket] = (rank[bucket] ?? 0) + 1;
}
