/** How many keys a page of a list asks for, so that pages are bounded in bytes as well as in keys. */

export const FIRST_PAGE_KEYS = 100;

const MOST_PAGE_KEYS = 1_000;
/** A tenth of what etcd may send in one message: the next keys may be larger than the last. */
const PAGE_BYTES = 6 * 1024 * 1024;

/** Keys of the next page, after one of `keys` keys and `bytes` bytes. At most twice as many as in the last one. */
export function nextPageKeys(keys: number, bytes: number): number {
  const fitting = Math.floor(PAGE_BYTES / Math.max(1, bytes / Math.max(1, keys)));
  return Math.max(1, Math.min(MOST_PAGE_KEYS, 2 * Math.max(1, keys), fitting));
}
