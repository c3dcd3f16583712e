import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Task } from '#model/task.ts';
import { PathError, openInRoot } from '../kernel/path-syscall.ts';
import type { ImageConfig } from '../image/ports.ts';
import { resolveUser } from '../runtime/container-user.ts';
import type { AccountFiles } from '../runtime/container-user.ts';
import { ociSpec } from '../runtime/oci-spec.ts';
import { ETC_FILES } from './etc-files.ts';
import type { ConfigRequest, ContainerConfigs } from './ports.ts';

/** More of an image's passwd or group is not looked at. */
const MAX_ACCOUNT_BYTES = 1024 * 1024;
const HARD_LIMIT = /^Max open files\s+\S+\s+([0-9]+|unlimited)/m;
/** Source: Linux fs/file.c, sysctl_nr_open default */
const NR_OPEN = 1_048_576;

/** config.json from the task, its image and the accounts in its root file system. */
export class ContainerConfigFs implements ContainerConfigs {
  readonly #maxOpenFiles: number;

  private constructor(maxOpenFiles: number) {
    this.#maxOpenFiles = maxOpenFiles;
  }

  /** Source: proc_pid_limits(5) */
  static async create(): Promise<ContainerConfigFs> {
    const limit = HARD_LIMIT.exec(await readFile('/proc/self/limits', 'utf8'))?.[1];
    return new ContainerConfigFs(limit === undefined || limit === 'unlimited' ? NR_OPEN : Number(limit));
  }

  async userOf(task: Task, image: ImageConfig, rootfsPath: string): Promise<{ readonly uid: number; readonly gid: number }> {
    return resolveUser(task.container.security.user ?? image.user, await readAccounts(rootfsPath));
  }

  async configJson(request: ConfigRequest): Promise<string> {
    const { task, image, rootfsPath, slot, mounts, cgroupsPath, bundlePath } = request;
    return JSON.stringify(ociSpec({
      task, image, rootfsPath, mounts, cgroupsPath,
      accounts: await readAccounts(rootfsPath),
      userNamespacePath: slot.userNamespacePath,
      networkNamespacePath: slot.networkNamespacePath,
      etcFiles: {
        hostname: join(bundlePath, ETC_FILES.hostname),
        hosts: join(bundlePath, ETC_FILES.hosts),
        resolvConf: join(bundlePath, ETC_FILES.resolvConf),
      },
      architecture: process.arch === 'arm64' ? 'arm64' : 'x64',
      maxOpenFiles: this.#maxOpenFiles,
    }));
  }
}

/** Read inside the image's own root: its links lead nowhere else. */
async function readAccounts(rootfsPath: string): Promise<AccountFiles> {
  const root = await open(rootfsPath, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return { passwd: readInRoot(root.fd, 'etc/passwd'), group: readInRoot(root.fd, 'etc/group') };
  } finally {
    await root.close();
  }
}

function readInRoot(rootFd: number, path: string): string {
  let fd: number;
  try {
    fd = openInRoot(rootFd, path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof PathError) {
      // No such file, or a link that leads nowhere: the image has no accounts.
      return '';
    }
    throw error;
  }
  try {
    const file = fstatSync(fd);
    const bytes = Buffer.alloc(file.isFile() ? Math.min(file.size, MAX_ACCOUNT_BYTES) : 0);
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}
