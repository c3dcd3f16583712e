/** Logs that conmon writes itself, since an agent that knew no log pipe started it. */
import { rename, rm, stat } from 'node:fs/promises';
import { isAbsent } from '../task/durable-fs.ts';

/** The current file and two older ones: `log`, `log.1`, `log.2`. */
const OLDER_FILES = 2;
export const ASIDE_LOG_BYTES = 10 * 1024 * 1024;

/**
 * Moves a log of at least `maxBytes` aside. Until conmon was told to open it anew, lines go on into the old file, which readers read
 * to its end.
 *
 * @returns whether conmon is to be told: `missing` where somebody moved it aside and may or may not have said so. Told twice, conmon
 * would lose what it wrote in between
 */
export async function moveLogAside(path: string, maxBytes: number): Promise<'small' | 'moved' | 'missing'> {
  const facts = await stat(path).catch(absent);
  if (facts === undefined) {
    return 'missing';
  }
  if (facts.size < maxBytes) {
    return 'small';
  }
  await rm(`${path}.${String(OLDER_FILES)}`, { force: true });
  for (let index = OLDER_FILES - 1; index >= 0; index -= 1) {
    await rename(index === 0 ? path : `${path}.${String(index)}`, `${path}.${String(index + 1)}`).catch(absent);
  }
  return 'moved';
}

function absent(error: unknown): undefined {
  if (!isAbsent(error)) throw error;
  return undefined;
}
