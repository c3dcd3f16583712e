import { readFile, writeFile } from 'node:fs/promises';
import { ClusterError } from '#model/errors.ts';

/** Makes the kernel setting `net.ipv4.ip_forward` and the like equal `value`; one that is there already is not written. @throws ClusterError FAILED_PRECONDITION naming the setting */
export async function ensureSetting(name: string, value: string): Promise<boolean> {
  const file = `/proc/sys/${name}`;
  try {
    if ((await readFile(file, 'utf8')).trim() === value) {
      return false;
    }
    await writeFile(file, value);
    return true;
  } catch (error) {
    throw new ClusterError('FAILED_PRECONDITION', `kernel setting ${name.replaceAll('/', '.')} has to be ${value} and cannot be set`, { cause: error });
  }
}

/** Like `ensureSetting`, for settings of parts that the kernel may not have loaded; absent is fine. */
export async function ensureSettingIfPresent(name: string, value: string): Promise<boolean> {
  const isPresent = await readFile(`/proc/sys/${name}`).then(() => true, () => false);
  return isPresent && await ensureSetting(name, value);
}
