/** The health of nodes, as their sessions say it, into etcd; fenced by the session record like statuses. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import type { NodeHealth } from '#model/session.ts';
import { buildKey } from '../store/keys.ts';
import type { Store } from '../store/ports.ts';
import { encodeNode } from '../store/records.ts';
import { healthOf, isSameHealth } from './node-health.ts';
import type { ClusterState, EventSink } from './ports.ts';

export interface HealthReport {
  readonly node: NodeId;
  /** etcd revision of the record of the session that the report came over. */
  readonly sessionRevision: number;
  /** Undefined: an older agent does not say. */
  readonly health: NodeHealth | undefined;
}

/** The Node with this health. Undefined when its record has it already or is not readable. */
export function changedHealth(node: NodeId, given: NodeHealth | undefined, { nodes }: ClusterSnapshot): Node | undefined {
  const current = nodes.get(node)?.value;
  if (current === undefined || given === undefined) {
    return undefined;
  }
  const health = healthOf(given);
  return isSameHealth(current, health) ? undefined : { ...current, ...health };
}

/** An event where the fault of the node's network came, became another, or went. */
export function tellFault(node: NodeId, before: string, after: string, events: EventSink): void {
  if (before !== after) {
    const [type, reason, message] = after === ''
      ? ['normal', 'NetworkReady', 'the network of the node is there again'] as const
      : ['warning', 'NetworkFault', `the network of the node cannot be made, so that it gets no tasks: ${after}`] as const;
    events.record([{ type, object: `node/${node}`, reason, message }]);
  }
}

interface HealthParts {
  readonly store: Store;
  readonly state: ClusterState;
  readonly events: EventSink;
}

/** A record that changed meanwhile stays as it is: the next heartbeat tries again. @returns false when a newer session of the node is open */
export async function writeHealth({ node, sessionRevision, health }: HealthReport, { store, state, events }: HealthParts, signal: AbortSignal): Promise<boolean> {
  const record = state.current.nodes.get(node);
  const changed = changedHealth(node, health, state.current);
  if (record === undefined || changed === undefined) {
    return true;
  }
  const [session, key] = [buildKey({ kind: 'session', id: node }), buildKey({ kind: 'node', id: node })];
  const outcome = await store.transact([
    { kind: 'mod-revision', key: session, revision: sessionRevision },
    { kind: 'mod-revision', key, revision: record.modRevision },
  ], [{ kind: 'put', key, value: encodeNode(changed) }], signal);
  if (outcome.kind === 'committed') tellFault(node, record.value.networkFault, changed.networkFault, events);
  await state.waitFor(outcome.etcdRevision, signal);
  return outcome.kind === 'committed' || !outcome.failed.includes(session);
}
