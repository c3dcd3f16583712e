/** Contents of configs and secrets out of etcd, opened, for the node that runs their users. */
import type { AssignedContent } from '#model/assignment.ts';
import { ClusterError } from '#model/errors.ts';
import type { ContentReference } from './assignment-set.ts';
import { decodeSecretVersion } from '../store/records.ts';
import { buildKey } from '../store/keys.ts';
import type { Store } from '../store/ports.ts';
import type { SecretSealer } from './ports.ts';

/** What a secret is bound to when sealed, so that a record moved to another key does not open. */
export function secretBinding(namespace: string, name: string, version: number): string {
  return `${namespace}/${name}/${String(version)}`;
}

/** @throws ClusterError NOT_FOUND when a content is gone, FAILED_PRECONDITION when a secret cannot be opened */
export async function readContents(
  contents: readonly ContentReference[], parts: { readonly store: Store; readonly sealer: SecretSealer }, signal: AbortSignal,
): Promise<readonly AssignedContent[]> {
  return await Promise.all(contents.map(async content => {
    const stored = await parts.store.get(buildKey(content.kind === 'config' ? { ...content, kind: 'blob' } : content), signal);
    if (stored === undefined) {
      throw new ClusterError('NOT_FOUND', `content ${content.key} is not stored any more`);
    }
    const opened = content.kind === 'config'
      ? stored.value
      : parts.sealer.open(decodeSecretVersion(stored.value), secretBinding(content.namespace, content.name, content.version));
    return { key: content.key, content: opened };
  }));
}
