/** A small disk in a file, ext4 unless another is asked for. */
import { spawnSync } from 'node:child_process';
import { TOOL_PATH } from '#kit/command-process.ts';
import { NO_LOOP_DEVICES } from './may-lack.ts';
import { eventually, run } from './node-namespaces.ts';

/** Why no such disk can be made here; undefined when one can. */
export function whyNoLoopDisk(): string | undefined {
  if (process.getuid?.() !== 0) {
    return 'needs root';
  }
  // It names a free device, and makes one where the kernel may.
  return spawnSync('losetup', ['--find'], { env: { PATH: TOOL_PATH } }).status === 0 ? undefined : NO_LOOP_DEVICES;
}

/** Mounts a new disk at `mountPoint`; `enter` is what runs a program in the mount namespace that is to have it. Nothing is reserved for root. */
export function mountLoopDisk({ file, mountPoint, mebibytes, type = 'ext4' }: { readonly file: string; readonly mountPoint: string; readonly mebibytes: number; readonly type?: 'ext4' | 'btrfs' }, enter: readonly string[] = []): void {
  run('truncate', '-s', `${String(mebibytes)}M`, file);
  if (type === 'ext4') run('mkfs.ext4', '-q', '-F', '-m', '0', file);
  else run('mkfs.btrfs', '-q', file);
  inside(enter, 'mount', '-o', 'loop', file, mountPoint);
}

/** Processes that were just killed hold it for a moment. */
export async function unmountDisk(mountPoint: string, enter: readonly string[] = []): Promise<void> {
  await eventually(`${mountPoint} is unmounted`, () => {
    try {
      inside(enter, 'umount', mountPoint);
      return true;
    } catch {
      return undefined;
    }
  });
}

export function inside(enter: readonly string[], ...command: readonly string[]): string {
  const [program = '', ...args] = [...enter, ...command];
  return run(program, ...args);
}
