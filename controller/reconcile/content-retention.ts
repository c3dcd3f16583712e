/** Which contents of configs and secrets nothing needs any more. */
import type { ContentPins } from '#model/app.ts';
import { buildKey, parseKey } from '../store/keys.ts';
import type { StoredKey } from '../store/ports.ts';

/**
 * A content goes once nobody has needed it for this long. An apply writes its contents before the App that names them, or finds them there: it is
 * long over by then.
 */
export const CONTENT_GRACE_MS = 3_600_000;

/** Since when a content, as it was written last, is needed by nobody. */
export interface Idle {
  readonly modRevision: number;
  readonly sinceMs: number;
}

export interface ContentRetention {
  /** May go now. */
  readonly due: readonly StoredKey[];
  /** By key, for the next look. */
  readonly idle: ReadonlyMap<string, Idle>;
}

/** Keys of what the pins name. */
export function contentKeys(namespace: string, { configs, secrets }: ContentPins): readonly string[] {
  return [
    ...configs.map(({ sha256 }) => buildKey({ kind: 'blob', namespace, sha256 })),
    ...secrets.map(({ name, version }) => buildKey({ kind: 'secret', namespace, name, version })),
  ];
}

/**
 * Decides on all contents that are stored, each look anew. `needed` is what Revisions, Services and Tasks pin: a Revision is needed as long as
 * it is there, since an undo may go back to it. The newest version of a deleted secret stays while any of its versions is needed. Of each secret the newest version stays in any case: the next apply takes it, and the next
 * version has the number after it.
 */
export function planContentRetention(stored: readonly StoredKey[], needed: ReadonlySet<string>, before: ReadonlyMap<string, Idle>, nowMs: number): ContentRetention {
  const newest = newestVersions(stored);
  const pinned = pinnedSecrets(needed);
  const unneeded = stored.filter(({ key }) => isContent(key) && !needed.has(key) && !newest.has(key) && !pinned.has(key));
  const idle = new Map(unneeded.map(({ key, modRevision }): readonly [string, Idle] => {
    const known = before.get(key);
    return [key, known?.modRevision === modRevision ? known : { modRevision, sinceMs: nowMs }];
  }));
  return { due: unneeded.filter(({ key }) => nowMs - (idle.get(key)?.sinceMs ?? nowMs) >= CONTENT_GRACE_MS), idle };
}

function isContent(key: string): boolean {
  const kind = parseKey(key)?.kind;
  return kind === 'blob' || kind === 'secret' || kind === 'deleted-secret';
}

/** Keys of the deleted secrets of which a version is needed. */
function pinnedSecrets(needed: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...needed].flatMap(text => {
    const key = parseKey(text);
    return key?.kind === 'secret' ? [buildKey({ kind: 'deleted-secret', namespace: key.namespace, name: key.name })] : [];
  }));
}

function newestVersions(stored: readonly StoredKey[]): ReadonlySet<string> {
  const newest = new Map<string, { readonly key: string; readonly version: number }>();
  for (const { key } of stored) {
    const parsed = parseKey(key);
    if (parsed?.kind === 'secret' && parsed.version > (newest.get(`${parsed.namespace}/${parsed.name}`)?.version ?? -1)) {
      newest.set(`${parsed.namespace}/${parsed.name}`, { key, version: parsed.version });
    }
  }
  return new Set([...newest.values()].map(({ key }) => key));
}
