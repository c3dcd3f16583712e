import { printable } from '#model/printable.ts';

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const GAP = '   ';

/** Aligned columns, three spaces apart, no space at line ends. Cells are made printable; empty ones are `-`. */
export function formatTable(table: Table): string {
  return new GrowingTable().add(table);
}

/** A table whose rows come little by little: its head once, and each column as wide as its widest cell until then. */
export class GrowingTable {
  #widths: readonly number[] = [];

  /** The lines of these rows; the head is above the first ones. */
  add({ head, rows }: Table): string {
    const filled = rows.map(row => row.map(cell => (cell === '' ? '-' : printable(cell))));
    const cells = this.#widths.length === 0 ? [head, ...filled] : filled;
    const widths = head.map((_, column) => Math.max(this.#widths[column] ?? 0, ...cells.map(row => widthOf(row[column] ?? ''))));
    this.#widths = widths;
    return cells
      .map(row => row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell))).join(GAP).trimEnd())
      .map(line => `${line}\n`)
      .join('');
  }
}

/** Code points; printable cells hold no lone surrogates. */
function widthOf(cell: string): number {
  return cell.replace(/[\uDC00-\uDFFF]/g, '').length;
}
