import { printable } from '#model/printable.ts';

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const GAP = '   ';

/** Aligned columns, three spaces apart, no space at line ends. Cells are made printable; empty ones are `-`. */
export function formatTable({ head, rows }: Table): string {
  const cells = [head, ...rows.map(row => row.map(cell => (cell === '' ? '-' : printable(cell))))];
  const widths = head.map((_, column) => Math.max(...cells.map(row => widthOf(row[column] ?? ''))));
  return cells
    .map(row => row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell))).join(GAP).trimEnd())
    .map(line => `${line}\n`)
    .join('');
}

/** Code points; printable cells hold no lone surrogates. */
function widthOf(cell: string): number {
  return cell.replace(/[\uDC00-\uDFFF]/g, '').length;
}
