import { readFileSync } from 'node:fs';

/**
 * The text of file `name` of process `pid`; undefined when there is no such process, or its kernel has no such file.
 *
 * @throws any other error: who cannot look, as without a free descriptor, must not take a process for gone
 * Source: proc(5); a process that ends between open and read answers ESRCH
 */
export function processText(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${String(pid)}/${name}`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ESRCH') throw error;
    return undefined;
  }
}
