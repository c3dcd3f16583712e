/** This process without a free descriptor, as far as a test wants it so. */
import { closeSync, openSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

/** More than a test file has open; to take what the machine allows would last. */
const LIMIT = 1024;

/** Takes all descriptors but so many, until it is disposed of. From the first call on the process may have 1,024. */
export function takeDescriptors(butFree = 0): Disposable {
  execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${String(LIMIT)}:`]);
  const taken: number[] = [];
  for (let descriptor = tryOpen(); descriptor !== undefined; descriptor = tryOpen()) taken.push(descriptor);
  taken.splice(0, butFree).forEach(descriptor => { closeSync(descriptor); });
  return { [Symbol.dispose]: () => { taken.splice(0).forEach(descriptor => { closeSync(descriptor); }); } };
}

function tryOpen(): number | undefined {
  try {
    return openSync('/dev/null', 'r');
  } catch {
    return undefined;
  }
}

/** What `work` throws with so many free descriptors; undefined: nothing. The test looks at it once there are some again: assertions load files. */
export async function failureWith(free: number, work: () => unknown): Promise<unknown> {
  using _taken = takeDescriptors(free);
  try {
    await work();
    return undefined;
  } catch (error) {
    return error;
  }
}
