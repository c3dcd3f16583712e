import { watch } from 'node:fs';

/** Source: inotify(7); inotify_init1(2) EMFILE, inotify_add_watch(2) ENOSPC */
const NO_WATCH_LEFT: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOSPC', 'ENOMEM']);

/**
 * Calls `onChange` with the name of each entry that changed, null where the kernel does not tell it. A watch is a hint: where the machine has none left,
 * or the directory goes away, nothing is called, and the caller's own looks have to do.
 */
export function watchDirectory(directory: string, onChange: (name: string | null) => void): { close(): void } {
  try {
    const watcher = watch(directory, (_event, name) => { onChange(name); });
    watcher.on('error', () => { /* the directory went away */ });
    return watcher;
  } catch (error) {
    if (!NO_WATCH_LEFT.has((error as NodeJS.ErrnoException).code)) throw error;
    return { close: () => { /* there is none */ } };
  }
}
