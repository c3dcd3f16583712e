/** Files of `--config-dir` that `init` and `join` make; and whether this machine's addresses leave room for the cluster's. */
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import path from 'node:path';
import { TASK_RANGE, VIRTUAL_IP_RANGE } from '#model/addressing.ts';
import { ClusterError } from '#model/errors.ts';
import { findOwnerProblem, parseStateOwner, stateOwnerFile } from '#identity/state-owner-rules.ts';
import type { StateOwner } from '#identity/state-owner-rules.ts';
import { overlaps } from './address-range.ts';

export interface SecretFile {
  readonly name: string;
  readonly text: string;
}

/** @throws ClusterError ALREADY_EXISTS when the file is there: a machine is not set up twice by mistake */
export async function requireAbsent(file: string): Promise<void> {
  if (await access(file).then(() => true, () => false)) {
    throw new ClusterError('ALREADY_EXISTS', `${file} is there already: this machine is set up; remove the directory to start again`);
  }
}

/** True where the agent's state directory is this very node's, of an earlier life. @throws ClusterError FAILED_PRECONDITION where it is another node's or another cluster's */
export async function requireOwnState(stateDir: string, owner: StateOwner): Promise<boolean> {
  // Absent, or not for this user to read: the agent looks again.
  const held = parseStateOwner(await readFile(stateOwnerFile(stateDir), 'utf8').catch(() => ''));
  const problem = held === undefined ? undefined : findOwnerProblem(stateDir, held, owner);
  if (problem !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', problem);
  }
  return held !== undefined;
}

/** Written in order, each whole, readable by its owner alone. */
export async function writePrivate(directory: string, files: readonly SecretFile[]): Promise<void> {
  for (const { name, text } of files) {
    const file = path.join(directory, name);
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(`${file}.new`, text, { mode: 0o600, flush: true });
    await rename(`${file}.new`, file);
  }
}

/** The first label of the host's name. */
export function machineName(): string {
  return hostname().split('.')[0]?.toLowerCase() ?? '';
}

/** @throws ClusterError FAILED_PRECONDITION naming the interface whose network overlaps the cluster's ranges */
export function requireFreeRanges(): void {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    const taken = addresses?.find(({ family, cidr }) => family === 'IPv4' && cidr !== null && [TASK_RANGE, VIRTUAL_IP_RANGE].some(range => overlaps(range, cidr)));
    if (taken !== undefined) {
      throw new ClusterError('FAILED_PRECONDITION', `${name} has ${taken.cidr ?? taken.address}, inside the cluster's ranges ${TASK_RANGE} and ${VIRTUAL_IP_RANGE}`);
    }
  }
}
