import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent, makeDirectoryDurably, replaceDurably } from './task/durable-fs.ts';

/** What the controllers told the node about itself; what a start without a controller goes by. */
export interface NodeState {
  readonly subnetIndex: number;
  readonly times: { readonly heartbeatMs: number; readonly lostMs: number };
  readonly controllers: readonly string[];
  /** Absent in what an older agent wrote. */
  readonly joinAddresses?: readonly string[];
}

export async function readNodeState(stateDir: string): Promise<NodeState | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(stateDir, 'node.json'), 'utf8'));
    return isNodeState(value) ? value : undefined;
  } catch (error) {
    if (isAbsent(error) || error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}

export async function writeNodeState(stateDir: string, state: NodeState): Promise<void> {
  await makeDirectoryDurably(stateDir);
  await replaceDurably(join(stateDir, 'node.json'), JSON.stringify(state));
}

function isNodeState(value: unknown): value is NodeState {
  return typeof value === 'object' && value !== null && 'subnetIndex' in value && typeof value.subnetIndex === 'number'
    && 'controllers' in value && Array.isArray(value.controllers) && 'times' in value && typeof value.times === 'object';
}
