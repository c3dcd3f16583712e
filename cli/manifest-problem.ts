/** A problem of a manifest with its place. */
import { printable } from '#model/printable.ts';

export interface ManifestProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** `services.web.image`, after `[N].` where the file has several documents; `(document)`, `(syntax)`, `(encoding)`. */
  readonly path: string;
  readonly message: string;
}

/** `file:line:column path: message`, printable. */
export function formatProblem(problem: ManifestProblem): string {
  const place = `${problem.file}:${String(problem.line)}:${String(problem.column)}`;
  return printable(`${place} ${problem.path}: ${problem.message}`);
}
