import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';

/** The process that writes the logs of a runtime directory. */
export interface LogWriterFile {
  readonly process: ProcessIdentity;
  /** Digest of its program. */
  readonly build: string;
}

export function writeLogWriter(directory: string, file: LogWriterFile): void {
  const path = pathOf(directory);
  writeFileSync(`${path}.new`, JSON.stringify(file), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Undefined where there never was one. The process may have exited. */
export function readLogWriter(directory: string): LogWriterFile | undefined {
  try {
    return JSON.parse(readFileSync(pathOf(directory), 'utf8')) as LogWriterFile;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function pathOf(directory: string): string {
  return `${directory}/log-writer.json`;
}
