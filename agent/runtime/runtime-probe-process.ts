import { access, constants } from 'node:fs/promises';
import { RUNTIME_DRIVERS } from './runtime-drivers.ts';
import type { RuntimeDriver } from './runtime-drivers.ts';
import { runTool } from './tool-process.ts';

const PROBE_TIMEOUT_MS = 5_000;

/** The programs of this machine, by runtime name: those that are there and answer. */
export async function findRuntimes(drivers: readonly RuntimeDriver[] = RUNTIME_DRIVERS): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const { name, programs } of drivers) {
    for (const program of programs) {
      if (!found.has(name) && await answers(program)) {
        found.set(name, program);
      }
    }
  }
  return found;
}

async function answers(program: string): Promise<boolean> {
  try {
    await access(program, constants.X_OK);
    return (await runTool(program, ['--version'], PROBE_TIMEOUT_MS)).code === 0;
  } catch {
    return false; // not there, or not for this machine
  }
}
