import type { Registration } from '#model/session.ts';

/** What a registration presents of its instance. */
export type InstanceNames = Pick<Registration, 'previousNonce' | 'nextNonce' | 'clusterId'>;

export const NO_NAMES: InstanceNames = { previousNonce: '', nextNonce: '', clusterId: '' };

/** What is right once the controllers took `presented`; they belong to `clusterId`, where they say which, else '' and it stays what it was. */
export function acceptedNames({ nextNonce: nonce, clusterId: before }: InstanceNames, clusterId: string): InstanceNames {
  return { previousNonce: nonce, nextNonce: nonce, clusterId: clusterId === '' ? before : clusterId };
}
