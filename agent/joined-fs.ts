/** `joined.json` in the config directory: the answer of the join that the agent itself made. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KnownControllers } from './first-controllers.ts';
import { isAbsent, makeDirectoryDurably, removeDurably, replaceDurably } from './task/durable-fs.ts';

export type Joined = NonNullable<KnownControllers['joined']>;

export async function readJoined(configDir: string): Promise<Joined | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(pathIn(configDir), 'utf8'));
    return isJoined(value) ? value : undefined;
  } catch (error) {
    if (isAbsent(error) || error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}

export async function writeJoined(configDir: string, joined: Joined): Promise<void> {
  await makeDirectoryDurably(configDir);
  await replaceDurably(pathIn(configDir), JSON.stringify(joined));
}

export async function forgetJoined(configDir: string): Promise<void> {
  await removeDurably(pathIn(configDir));
}

function isJoined(value: unknown): value is Joined {
  return typeof value === 'object' && value !== null && 'controllers' in value && Array.isArray(value.controllers)
    && value.controllers.every(one => typeof one === 'string') && 'joinAddress' in value && typeof value.joinAddress === 'string';
}

function pathIn(configDir: string): string {
  return join(configDir, 'joined.json');
}
