import { readFile } from 'node:fs/promises';
import { findOwnerProblem, formatStateOwner, parseStateOwner, stateOwnerFile } from '#identity/state-owner-rules.ts';
import type { StateOwner } from '#identity/state-owner-rules.ts';
import { ClusterError } from '#model/errors.ts';
import { isDiskPressure } from './disk-pressure.ts';
import { isAbsent, makeDirectoryDurably, replaceDurably } from './task/durable-fs.ts';

/** Nothing is written. @throws ClusterError FAILED_PRECONDITION where the directory is another node's or another cluster's */
export async function requireOwnState(stateDir: string, owner: StateOwner): Promise<StateOwner | undefined> {
  const held = await readOwner(stateDir);
  const problem = held === undefined ? undefined : findOwnerProblem(stateDir, held, owner);
  if (problem !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', problem);
  }
  return held;
}

/** The same, and the directory is the owner's from now on: also one that an agent of before left, which told nobody. */
export async function claimState(stateDir: string, owner: StateOwner): Promise<void> {
  if (await requireOwnState(stateDir, owner) !== undefined) {
    return;
  }
  try {
    await makeDirectoryDurably(stateDir);
    await replaceDurably(stateOwnerFile(stateDir), formatStateOwner(owner));
  } catch (error) {
    // A full disk is no reason to be without an agent: the next start claims it.
    if (!isDiskPressure(error)) throw error;
  }
}

async function readOwner(stateDir: string): Promise<StateOwner | undefined> {
  try {
    return parseStateOwner(await readFile(stateOwnerFile(stateDir), 'utf8'));
  } catch (error) {
    if (isAbsent(error)) {
      return undefined;
    }
    throw error;
  }
}
