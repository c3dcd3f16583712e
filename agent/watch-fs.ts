import { watch } from 'node:fs';
import type { FSWatcher, WatchListener } from 'node:fs';

/** No instance or watch left, no descriptor, no memory. Source: inotify_init(2), inotify_add_watch(2), "ERRORS" */
const EXHAUSTED: readonly (string | undefined)[] = ['EMFILE', 'ENFILE', 'ENOSPC', 'ENOMEM'];

/**
 * Watches a directory by inotify. Undefined where the machine has no instance or watch left: a caller also looks on its own now and then,
 * and only hears later. @throws any other error
 */
export function watchIfPossible(directory: string, onChange: WatchListener<string>): FSWatcher | undefined {
  try {
    const watcher = watch(directory, onChange);
    watcher.on('error', () => { /* the directory is gone; the caller's own look sees that nothing comes */ });
    return watcher;
  } catch (error) {
    if (!EXHAUSTED.includes((error as NodeJS.ErrnoException).code)) throw error;
    return undefined;
  }
}
