import { parseNodeId } from '#model/ids.ts';
import type { LiveSession } from '../../controller/api/session-table.ts';

/** A session that a controller holds, with defaults: a test names only what it is about. */
export function liveSession(node: string, change: Partial<LiveSession> = {}): LiveSession {
  return {
    node: parseNodeId(node), sessionId: 's', recordRevision: 1, takesEndpointChanges: true, takesKeptTasks: true, sentEndpoints: 0, endpointsGeneration: 0, lastHeardMonotonicMs: 0,
    send: () => undefined, changed: () => undefined, close: () => undefined, ...change,
  };
}
