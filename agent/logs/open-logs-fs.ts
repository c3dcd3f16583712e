/** The files of one log as a reader holds them: open, and locked against their deletion. */
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { ClusterError } from '#model/errors.ts';
import { tryLock } from '../kernel/log-file-syscall.ts';
import { isAbsent } from '../task/durable-fs.ts';
import { logFileNames } from './log-rotation.ts';

export interface OpenLog {
  handle: FileHandle;
  readonly inode: bigint;
  /** Distinguishes a file, together with the inode, from a later one in its place. */
  readonly bornAtNs: bigint;
  /** Where the next read starts: always the start of a record. */
  position: number;
}

/**
 * A log of a container that an earlier agent started is rotated without regard to readers. One that
 * writes faster than its reader takes it grows by what its monitor writes in a second.
 */
const MAX_HELD_FILES = 64;

/**
 * Holds each file from the moment it appears until it is read. The log writer deletes no file that is
 * held, and the container waits. Does one thing at a time, for any number of callers.
 */
export class HeldLogs {
  /** Oldest first. */
  readonly files: OpenLog[] = [];
  readonly #path: string;
  #work: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  #isLetGo = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Holds what there is now. */
  async open(): Promise<void> {
    this.files.push(...await openLogs(this.#path));
  }

  /** Holds newer files; true when there are some. @throws ClusterError RESOURCE_EXHAUSTED when files between are gone */
  async look(): Promise<boolean> {
    return await this.#next(async () => !this.#isClosed && !this.#isLetGo && this.files.length < MAX_HELD_FILES && await openNewer(this.#path, this.files));
  }

  /** Its client takes nothing: the log writer may delete the files. */
  letGo(): void {
    this.#isLetGo = true;
    void this.#next(async () => { await this.#closeAll(); });
  }

  /** Holds the files again after `letGo`. @throws ClusterError RESOURCE_EXHAUSTED when the one that is being read is gone */
  async regain(): Promise<void> {
    if (!this.#isLetGo) return;
    await this.#next(async () => {
      const all = await openLogs(this.#path);
      const current = this.files[0];
      const place = all.findIndex(({ inode, bornAtNs }) => inode === current?.inode && bornAtNs === current.bornAtNs);
      const [again, ...newer] = place < 0 ? [] : all.slice(place);
      await closeEach(all.filter(file => file !== again && !newer.includes(file)));
      if (current !== undefined && again !== undefined) {
        current.handle = again.handle;
        this.files.splice(1, this.files.length, ...newer);
        this.#isLetGo = false;
      } else if (current !== undefined) {
        throw new ClusterError('RESOURCE_EXHAUSTED', 'logs: this reader took nothing for 10 s, and the lines that follow are deleted; read the log again');
      }
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#next(async () => { if (!this.#isLetGo) await this.#closeAll(); });
  }

  async #closeAll(): Promise<void> {
    await closeEach(this.files);
  }

  async #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => undefined);
    return await result;
  }
}

/** What there is now, oldest first: read again until no rotation came between. */
async function openLogs(path: string): Promise<OpenLog[]> {
  for (;;) {
    const files = await Promise.all(logFileNames(path).map(openLog));
    const inodes = await Promise.all(logFileNames(path).map(async name => (await stat(name, { bigint: true }).catch(absent))?.ino));
    if (inodes.every((inode, index) => inode === files[index]?.inode)) {
      return files.filter(file => file !== undefined).reverse();
    }
    await closeEach(files);
  }
}

/** Undefined where there is none, or the log writer is deleting it. */
async function openLog(name: string): Promise<OpenLog | undefined> {
  const handle = await open(name, 'r').catch(absent);
  if (handle === undefined) return undefined;
  if (!tryLock(handle.fd, 'shared')) {
    await handle.close();
    return undefined;
  }
  const { ino, birthtimeNs } = await handle.stat({ bigint: true });
  return { handle, inode: ino, bornAtNs: birthtimeNs, position: 0 };
}

/** After a rotation: the files newer than the last one join the list; what came late to that one is read first. */
async function openNewer(path: string, files: OpenLog[]): Promise<boolean> {
  const current = files.at(-1);
  const newest = await stat(path, { bigint: true }).catch(absent);
  if (current === undefined || newest === undefined || newest.ino === current.inode) {
    return false;
  }
  const all = await openLogs(path);
  const place = all.findIndex(file => file.inode === current.inode);
  const newer = place < 0 ? [] : all.slice(place + 1);
  await closeEach(all.filter(file => !newer.includes(file)));
  if (place < 0) {
    throw new ClusterError('RESOURCE_EXHAUSTED', 'logs: the container wrote faster than its log could be read, and lines that follow are deleted; read the log again');
  }
  files.push(...newer);
  return newer.length > 0;
}

async function closeEach(files: readonly (OpenLog | undefined)[]): Promise<void> {
  await Promise.all(files.map(async file => { await file?.handle.close(); }));
}

function absent(error: unknown): undefined {
  if (!isAbsent(error)) throw error;
  return undefined;
}
