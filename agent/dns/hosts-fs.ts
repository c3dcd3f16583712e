import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * Manages a directory of hosts files that dnsmasq watches; files appear atomically. The directory
 * is in memory, so I/O is synchronous.
 */
export class HostsDirectory {
  readonly hostsDir: string;
  readonly #directory: string;
  readonly #stagingDir: string;
  /** Maps file names to the text on disk; read once, because no other process writes here. */
  #onDisk: Map<string, string> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.hostsDir = path.join(directory, 'hosts');
    this.#stagingDir = path.join(directory, 'staging');
  }

  /** Creates the directories, readable for the account of dnsmasq. */
  create(): void {
    mkdirSync(this.hostsDir, { recursive: true, mode: 0o755 });
    mkdirSync(this.#stagingDir, { recursive: true, mode: 0o755 });
  }

  /** Writes what differs and removes files that are not in `files`. */
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

  /** Removes the directory with the files of the server. */
  async remove(): Promise<void> {
    this.#onDisk = undefined;
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Reads the directory; deletes temporary files that were never renamed. */
  #read(): Map<string, string> {
    for (const name of readdirSync(this.#stagingDir)) rmSync(path.join(this.#stagingDir, name), { force: true });
    return new Map(readdirSync(this.hostsDir).map(name => [name, readFileSync(path.join(this.hostsDir, name), 'utf8')] as const));
  }
}

/** Returns true if an unprivileged account can reach the files in `directory`. */
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
