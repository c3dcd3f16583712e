/** `node replace`: fences the machine of a node, then lets another machine join under the name. */
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import type { ControlHandlers, ReplaceNodeAnswer, ReplaceNodeRequest } from '#model/ports.ts';
import type { JoinParts } from '../identity/ports.ts';
import { createToken } from '../identity/token-store.ts';
import { buildKey } from '../store/keys.ts';
import { transactGuarded } from '../store/guarded-write-flow.ts';
import type { Compare, Operation } from '../store/ports.ts';
import { encodeRemovedNode, encodeSessionRecord } from '../store/records.ts';
import { requireRole } from './access.ts';
import { removalAtMs } from './instance-rules.ts';
import { removeOperations } from './node-api.ts';
import type { NodeApiParts } from './node-api.ts';
import { readRemoved } from './registration-flow.ts';
import type { RemovedEntry } from './registration-flow.ts';
import { removalObstacle } from './removal-obstacle.ts';

type ReplaceParts = NodeApiParts & JoinParts;

/** While other writes of the same node win. */
const MAX_TRIES = 4;

export function createReplaceApi(parts: ReplaceParts): Pick<ControlHandlers, 'replaceNode'> {
  return {
    async replaceNode(request, peer) {
      requireRole(peer, 'operator');
      for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
        const answer = await replaceOnce(request, parts);
        if (answer !== undefined) return answer;
      }
      throw new ClusterError('CONFLICT', `node ${request.node} keeps changing; try again`);
    },
  };
}

/**
 * The next step of a replacement; undefined when another write came between.
 *
 * 1. The certificates are revoked and the session ends: the agent stops its tasks as soon as it hears that. 2. Once no task of the old machine
 * can run, the node is removed as by `node rm`, and its labels, taints and availability wait for the new machine. 3. The token is for that
 * name only. Repeated at any point, the call continues where it was.
 */
async function replaceOnce(request: ReplaceNodeRequest, parts: ReplaceParts): Promise<ReplaceNodeAnswer | undefined> {
  const { node: id, isForced } = request;
  const entry = await readRemoved(id, parts.store, parts.signal);
  const known = parts.state.current.nodes.get(id);
  if (known === undefined) {
    requireReplaced(id, entry);
    return await tokenFor(request, parts);
  }
  const { availability, labels, taints } = known.value;
  const removed = { node: id, removedAtMs: removalAtMs(entry.removed, parts.clock.nowMs()), replaced: { availability, labels, taints } };
  const obstacle = removalObstacle(known.value, parts.state.current, parts.lostNodes);
  if (obstacle === undefined) {
    return await write({ entry, known }, removeOperations(removed), parts) ? await tokenFor(request, parts) : undefined;
  }
  if (isFenced(id, entry, parts)) {
    return pending(known.value, obstacle);
  }
  if (known.value.condition === 'ready' && !isForced) {
    throw new ClusterError('FAILED_PRECONDITION', `${obstacle}; to cut the machine off now: clusterctl node replace ${id} --force`);
  }
  // The controller of the session stays on record: it counts the silence that follows.
  const controllerId = parts.state.current.sessions.get(id)?.value.controllerId ?? '';
  const session = encodeSessionRecord({ node: id, sessionId: '', controllerId, openedAtMs: parts.clock.nowMs(), instanceNonce: '' });
  const isWritten = await write({ entry, known }, [
    { kind: 'put', key: buildKey({ kind: 'removed-node', id }), value: encodeRemovedNode(removed) },
    { kind: 'put', key: buildKey({ kind: 'session', id }), value: session },
  ], parts);
  return isWritten ? pending(known.value, obstacle) : undefined;
}

/** Revoked by an earlier call, and no agent registered since. */
function isFenced(id: NodeId, { removed }: RemovedEntry, { state }: ReplaceParts): boolean {
  return removed?.replaced !== undefined && state.current.sessions.get(id)?.value.sessionId === '';
}

function pending({ id, condition }: Node, obstacle: string): ReplaceNodeAnswer {
  return { token: '', expiresAtMs: 0, pending: condition === 'ready' ? `node ${id} is cut off and is not lost yet` : obstacle };
}

async function tokenFor({ node, ttlMs }: ReplaceNodeRequest, parts: ReplaceParts): Promise<ReplaceNodeAnswer> {
  return { ...await createToken({ ttlMs, role: 'node' }, parts, node), pending: '' };
}

/** @throws ClusterError NOT_FOUND unless the name waits for its new machine */
function requireReplaced(id: NodeId, { removed }: RemovedEntry): void {
  if (removed?.replaced === undefined) {
    throw new ClusterError('NOT_FOUND', `node ${id} does not exist; see clusterctl node ls; a machine with a new name joins with: clusterctl token create`);
  }
}

async function write(
  { entry, known }: { readonly entry: RemovedEntry; readonly known: { readonly value: Node; readonly modRevision: number } },
  operations: readonly Operation[], { store, state, signal }: ReplaceParts,
): Promise<boolean> {
  const { id } = known.value;
  const compares: readonly Compare[] = [
    { kind: 'mod-revision', key: buildKey({ kind: 'node', id }), revision: known.modRevision },
    { kind: 'mod-revision', key: buildKey({ kind: 'removed-node', id }), revision: entry.modRevision },
  ];
  const outcome = await transactGuarded(store, compares, operations, signal);
  await state.waitFor(outcome.etcdRevision, signal);
  return outcome.kind === 'committed';
}
