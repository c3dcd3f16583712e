import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { requireCommand } from '#kit/command-process.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const SOURCES = ['proto', 'controller', 'agent', 'cli', 'deploy', 'package.json', 'package-lock.json', 'tsconfig.json'];

/** One change of the newer source; `from` stands in the file exactly once. */
interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** What this version does not know and the next one writes into each record. */
export const NEWER_FIELD = 'placementHints';
export const NEWER_VALUE = { warmth: 2, near: ['ta'] };
export const NEWER_VERSION = '0.2.0';

const CHANGES: readonly Change[] = [
  { file: 'agent/node-facts-flow.ts', from: "AGENT_VERSION = '0.1.0'", to: `AGENT_VERSION = '${NEWER_VERSION}'` },
  { file: 'agent/task/record-text.ts', from: 'JSON.stringify({ ...unknown,', to: `JSON.stringify({ ${NEWER_FIELD}: ${JSON.stringify(NEWER_VALUE)}, ...unknown,` },
];

/** The programs of the next version: this source with a few changes, bundled in a directory of its own. */
export class NewerVersion implements Disposable {
  readonly #directory = mkdtempSync(path.join(tmpdir(), 'gantry-newer-'));

  static async build(): Promise<NewerVersion> {
    const newer = new NewerVersion();
    try {
      await newer.#build();
      return newer;
    } catch (error) {
      newer[Symbol.dispose]();
      throw error;
    }
  }

  get agent(): string {
    return path.join(this.#directory, 'deploy/bin/gantry-agent');
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #build(): Promise<void> {
    for (const source of SOURCES) {
      cpSync(path.join(ROOT, source), path.join(this.#directory, source), { recursive: true });
    }
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(this.#directory, 'node_modules'));
    for (const { file, from, to } of CHANGES) {
      const target = path.join(this.#directory, file);
      const parts = readFileSync(target, 'utf8').split(from);
      if (parts.length !== 2) {
        throw new Error(`${file} has ${String(parts.length - 1)} times: ${from}`);
      }
      writeFileSync(target, parts.join(to));
    }
    await requireCommand(path.join(ROOT, 'deploy/bin/node'), [path.join(this.#directory, 'deploy/bin/build.mjs')], { timeoutMs: 120_000, workingDir: this.#directory });
    if (!existsSync(path.join(this.#directory, 'dist/agent.mjs'))) {
      throw new Error('the newer version has no bundle');
    }
  }
}
