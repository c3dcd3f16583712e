import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeClosedDirectory } from '../closed-directory-fs.ts';
import { entriesOf, isAbsent } from './durable-fs.ts';
import type { Bundles } from './ports.ts';

/** Bundles as directories under the run directory, which is in memory. */
export class BundleFs implements Bundles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async create(id: string, files: ReadonlyMap<string, string>, group: number): Promise<string> {
    const path = this.pathOf(id);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(this.#directory, { recursive: true, mode: 0o711 });
    await makeClosedDirectory(path, group);
    for (const [name, text] of files) {
      writeFileSync(join(path, name), text, { mode: 0o644 });
    }
    return path;
  }

  async readConfig(id: string): Promise<string | undefined> {
    return await readFile(join(this.pathOf(id), 'config.json'), 'utf8').catch((error: unknown) => {
      if (!isAbsent(error)) throw error;
      return undefined;
    });
  }

  pathOf(id: string): string {
    return join(this.#directory, id);
  }

  async remove(id: string): Promise<void> {
    rmSync(this.pathOf(id), { recursive: true, force: true });
    await Promise.resolve();
  }

  async list(): Promise<readonly string[]> {
    return await entriesOf(this.#directory);
  }
}
