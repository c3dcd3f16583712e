import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ClusterError } from '#model/errors.ts';

/** Makes the kernel setting `net.ipv4.ip_forward` and the like equal `value`; one that is there already is not written. @throws ClusterError FAILED_PRECONDITION naming the setting */
export function ensureSetting(name: string, value: string): boolean {
  const file = `/proc/sys/${name}`;
  try {
    if (readFileSync(file, 'utf8').trim() === value) {
      return false;
    }
    writeFileSync(file, value);
    return true;
  } catch (error) {
    throw new ClusterError('FAILED_PRECONDITION', `kernel setting ${name.replaceAll('/', '.')} has to be ${value} and cannot be set`, { cause: error });
  }
}

/** Raises the kernel setting to `least`; false where it cannot be read or written. */
export function ensureAtLeast(name: string, least: number): boolean {
  const file = `/proc/sys/${name}`;
  try {
    if (Number(readFileSync(file, 'utf8')) < least) writeFileSync(file, String(least));
    return true;
  } catch {
    return false;
  }
}

/** Like `ensureSetting`, for settings of parts that the kernel may not have loaded; absent is fine. */
export function ensureSettingIfPresent(name: string, value: string): boolean {
  return existsSync(`/proc/sys/${name}`) && ensureSetting(name, value);
}
