import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';

/** A directory of hosts files that dnsmasq watches: a file is there whole or not at all. It is in memory, so it is read and written at once. */
export class HostsDirectory {
  readonly hostsDir: string;
  readonly #directory: string;
  readonly #stagingDir: string;
  /** File name -> text on disk; read once, since nobody else writes here. */
  #onDisk: Map<string, string> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.hostsDir = path.join(directory, 'hosts');
    this.#stagingDir = path.join(directory, 'staging');
  }

  /** Makes the directories; readable for the account dnsmasq runs as. */
  create(): void {
    mkdirSync(this.hostsDir, { recursive: true, mode: 0o755 });
    mkdirSync(this.#stagingDir, { recursive: true, mode: 0o755 });
  }

  /** Writes what differs and removes what is not in `files`. */
  apply(files: ReadonlyMap<string, string>): void {
    const onDisk = this.#onDisk ??= this.#read();
    for (const [name, text] of files) {
      if (onDisk.get(name) !== text) {
        const staged = path.join(this.#stagingDir, name);
        writeFileSync(staged, text, { mode: 0o644 });
        renameSync(staged, path.join(this.hostsDir, name));
        onDisk.set(name, text);
      }
    }
    for (const name of [...onDisk.keys()]) {
      if (!files.has(name)) {
        rmSync(path.join(this.hostsDir, name), { force: true });
        onDisk.delete(name);
      }
    }
  }

  /** The whole directory, with what the server keeps in it. */
  async remove(): Promise<void> {
    this.#onDisk = undefined;
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** What was written and never came into its place goes. */
  #read(): Map<string, string> {
    for (const name of readdirSync(this.#stagingDir)) rmSync(path.join(this.#stagingDir, name), { force: true });
    return new Map(readdirSync(this.hostsDir).map(name => [name, readFileSync(path.join(this.hostsDir, name), 'utf8')] as const));
  }
}

/** True when an account without rights of its own can get to the files in `directory`. */
export async function isOpenToAll(directory: string): Promise<boolean> {
  for (let current = path.resolve(directory); ; current = path.dirname(current)) {
    if (((await stat(current)).mode & 0o001) === 0) {
      return false;
    }
    if (current === path.dirname(current)) {
      return true;
    }
  }
}
