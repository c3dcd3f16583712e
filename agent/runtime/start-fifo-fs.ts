import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';

/** ENXIO, EPIPE: nobody reads, so the process that waited is gone. Source: fifo(7), pipe(7) */
const NOBODY_WAITS: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENXIO', 'EPIPE']);

/**
 * Lets a created container go on by a byte in the FIFO that its process reads, as `crun start` does; starting a program costs 2 ms. False when there is
 * no FIFO, or nobody waits at it. crun unlinks before it writes. Here the byte comes first: killed between the two, the agent leaves a container
 * that still counts as created, which recovery takes away, and never one that counts as running and waits for ever.
 *
 * Source: crun 0.20 to 1.21, src/libcrun/status.c, libcrun_status_write_exec_fifo; container.c, libcrun_get_container_state_string
 */
export function startByFifo(path: string): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(fd, Buffer.alloc(1));
    unlinkSync(path);
    return true;
  } catch (error) {
    if (NOBODY_WAITS.has((error as NodeJS.ErrnoException).code)) {
      return false;
    }
    throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
