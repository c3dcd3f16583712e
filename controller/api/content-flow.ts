/** Contents of configs and secrets out of etcd, opened, for the node that runs their users. */
import type { Logger } from '#kit/logger.ts';
import type { AssignedContent } from '#model/assignment.ts';
import { isClusterError } from '#model/errors.ts';
import type { ContentReference } from './assignment-set.ts';
import { decodeSecretVersion, RecordError } from '../store/records.ts';
import { buildKey } from '../store/keys.ts';
import type { Store } from '../store/ports.ts';
import type { SecretSealer } from './ports.ts';

/** What a secret is bound to when sealed, so that a record moved to another key does not open. */
export function secretBinding(namespace: string, name: string, version: number): string {
  return `${namespace}/${name}/${String(version)}`;
}

export interface ContentParts {
  readonly store: Store;
  readonly sealer: SecretSealer;
  readonly log: Logger;
}

/**
 * What can be read of them. One that is gone or cannot be opened is left out: it must not keep the node's other tasks from their assignment,
 * least of all a task that is told to stop. @throws ClusterError UNAVAILABLE
 */
export async function readContents(contents: readonly ContentReference[], parts: ContentParts, signal: AbortSignal): Promise<readonly AssignedContent[]> {
  const read = await Promise.all(contents.map(async reference => await readContent(reference, parts, signal)));
  return read.filter(content => content !== undefined);
}

async function readContent(reference: ContentReference, parts: ContentParts, signal: AbortSignal): Promise<AssignedContent | undefined> {
  const { key } = reference;
  const stored = await parts.store.get(buildKey(reference.kind === 'config' ? { ...reference, kind: 'blob' } : reference), signal);
  if (stored === undefined) {
    parts.log.error({ key }, 'a content is not stored any more; its tasks cannot start');
    return undefined;
  }
  if (reference.kind === 'config') {
    return { key, content: stored.value };
  }
  try {
    return { key, content: parts.sealer.open(decodeSecretVersion(stored.value), secretBinding(reference.namespace, reference.name, reference.version)) };
  } catch (error) {
    if (!isClusterError(error, 'FAILED_PRECONDITION') && !(error instanceof RecordError)) {
      throw error;
    }
    parts.log.error({ key, err: error }, 'a secret cannot be opened; its tasks cannot start');
    return undefined;
  }
}
