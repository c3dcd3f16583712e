import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** A directory of hosts files that dnsmasq watches: a file is there whole or not at all. */
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
  async create(): Promise<void> {
    await mkdir(this.hostsDir, { recursive: true, mode: 0o755 });
    await mkdir(this.#stagingDir, { recursive: true, mode: 0o755 });
  }

  /** Writes what differs and removes what is not in `files`. */
  async apply(files: ReadonlyMap<string, string>): Promise<void> {
    const onDisk = this.#onDisk ??= await this.#read();
    for (const [name, text] of files) {
      if (onDisk.get(name) !== text) {
        const staged = path.join(this.#stagingDir, name);
        await writeFile(staged, text, { mode: 0o644 });
        await rename(staged, path.join(this.hostsDir, name));
        onDisk.set(name, text);
      }
    }
    for (const name of [...onDisk.keys()]) {
      if (!files.has(name)) {
        await rm(path.join(this.hostsDir, name), { force: true });
        onDisk.delete(name);
      }
    }
  }

  /** The whole directory, with what the server keeps in it. */
  async remove(): Promise<void> {
    this.#onDisk = undefined;
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #read(): Promise<Map<string, string>> {
    const names = await readdir(this.hostsDir);
    return new Map(await Promise.all(names.map(async name => [name, await readFile(path.join(this.hostsDir, name), 'utf8')] as const)));
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
