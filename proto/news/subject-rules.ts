/**
 * Subjects of news. Controllers alone publish, operators read, and nodes do not connect to NATS: what a node reports comes over its session.
 *
 * Node names are labels and kinds are words, so that neither holds a token separator or a wildcard. Source: NATS, "Subject-Based Messaging".
 */
import type { NodeId } from '#model/ids.ts';

export const ALL_EVENTS = 'gantry.events.*';
export const ALL_USAGE = 'gantry.usage.*';

const KIND = /^[a-z]+(?=\/)/;

/** `gantry.events.task` for an event of `task/ID`. */
export function eventSubject(object: string): string {
  return `gantry.events.${KIND.exec(object)?.[0] ?? 'other'}`;
}

export function usageSubject(node: NodeId): string {
  return `gantry.usage.${node}`;
}
