/** `explain`: fields of the manifest, without a cluster. */
import { findField } from '../explain.ts';
import { explainItem, formatExplain } from '../format/explain.ts';
import type { Shell } from '../ports.ts';
import { printPlain } from './print-flow.ts';

export interface ExplainFlags {
  readonly recursive?: boolean;
}

export async function explainField(shell: Shell, path: string, { recursive = false }: ExplainFlags): Promise<void> {
  const found = findField(path);
  const isPlain = shell.options.output === 'json' || shell.options.output === 'yaml';
  await (isPlain ? printPlain(shell, explainItem(found, recursive)) : shell.terminal.write(formatExplain(found, recursive)));
}
