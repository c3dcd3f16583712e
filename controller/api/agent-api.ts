/** AgentApi: agents register, hold a session, dial back for tunnels. */
import { containersOf } from '#model/companion.ts';
import { ClusterError } from '#model/errors.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { parseNodeId } from '#model/ids.ts';
import type { NodeId } from '#model/ids.ts';
import { tasksOfNode } from '#model/node-of-task.ts';
import type { AgentHandlers, ControllerSessionEnd, Peer } from '#model/ports.ts';
import type { AgentMessage, Registered, Registration } from '#model/session.ts';
import type { Times } from '#model/times.ts';
import type { Logger } from '#kit/logger.ts';
import { createIdentityApi } from '../identity/join-api.ts';
import type { JoinParts } from '../identity/ports.ts';
import type { TunnelBroker } from '../tunnel/tunnel-broker-flow.ts';
import { requireNode, requireRole } from './access.ts';
import { sessionRefused } from './audit.ts';
import { AgentSessionLoop } from './agent-session-loop.ts';
import type { SessionParts } from './agent-session-loop.ts';
import type { FirstRegistrations } from './first-registration-flow.ts';
import { isHeard } from './instance-rules.ts';
import { tellFault } from './node-health-flow.ts';
import { healthOf } from './node-health.ts';
import type { RegistryLogins } from './ports.ts';
import { registerNode } from './registration-flow.ts';
import type { WrongStore, WrongStoreReason } from './registration-flow.ts';
import { requireValidNode } from './revocation-flow.ts';
import type { LiveSession } from './session-table.ts';

export interface AgentApiParts extends SessionParts, JoinParts {
  readonly controllerId: string;
  readonly clusterId: string;
  readonly broker: TunnelBroker;
  readonly firstRegistrations: FirstRegistrations;
  readonly logins: Pick<RegistryLogins, 'find'>;
  readonly signal: AbortSignal;
  readonly peers: { isHeardAt(controllerId: string, node: NodeId): Promise<boolean> };
  readonly times: Times;
  readonly newId: () => string;
  readonly audit: Pick<Logger, 'info'>;
  /** False while this replica may not acknowledge heartbeats (its own lease is not confirmed in etcd). */
  readonly mayAcknowledge: () => boolean;
}

export function createAgentApi(parts: AgentApiParts): AgentHandlers {
  const { renew } = createIdentityApi(parts);
  const sentAway = new Map<NodeId, WrongStoreReason>();
  return {
    renew,
    async session(end, peer, signal) {
      requireRole(peer, 'node');
      await runSession(end, peer, { ...parts, sentAway }, signal);
    },
    async tunnel(tunnelId, tunnel, peer) {
      requireRole(peer, 'node');
      await parts.broker.arrive(tunnelId, peer.name, tunnel);
    },
    async pullLogin({ namespace, registry }, peer) {
      await requireValidNode(peer, parts.store, parts.signal);
      return usesRegistry(parseNodeId(peer.name), { namespace, registry }, parts.state.current) ? await parts.logins.find(namespace, registry, parts.signal) : undefined;
    },
  };
}

/** A node gets the logins that its own tasks need, and no others. */
function usesRegistry(node: NodeId, { namespace, registry }: { readonly namespace: string; readonly registry: string }, snapshot: ClusterSnapshot): boolean {
  const tasks = tasksOfNode(snapshot, node).map(({ value }) => value).filter(task => task.namespace === namespace);
  return tasks.some(task => containersOf(task).some(({ image }) => image.startsWith(`${registry}/`)));
}

interface RegisteringParts extends AgentApiParts {
  /** What events have told of the store, by node until it is registered: it tries again and again. */
  readonly sentAway: Map<NodeId, WrongStoreReason>;
}

async function runSession(end: ControllerSessionEnd, peer: Peer, parts: RegisteringParts, signal: AbortSignal): Promise<void> {
  const messages = end.receive()[Symbol.asyncIterator]();
  const registration = await readRegistration(messages, peer);
  if (!parts.mayAcknowledge()) {
    throw new ClusterError('UNAVAILABLE', 'this controller has no confirmed lease in etcd; dial another one');
  }
  const sessionId = parts.newId();
  await requireUnheard(registration.node, parts);
  const faultBefore = parts.state.current.nodes.get(registration.node)?.value.networkFault ?? '';
  const outcome = await registerNode(registration, { peer, sessionId }, parts, signal);
  if (outcome.kind === 'wrong-store') {
    if (parts.sentAway.get(registration.node) !== outcome.reason) tellWrongStore(registration.node, outcome, parts);
    parts.sentAway.set(registration.node, outcome.reason);
    throw new ClusterError('UNAVAILABLE', outcome.message);
  }
  if (outcome.kind === 'refused') {
    parts.audit.info({ ...sessionRefused(peer, registration.node, outcome), etcdRevision: parts.state.current.etcdRevision }, 'audit');
    end.send(outcome);
    return;
  }
  const { subnetIndex, recordRevision } = outcome;
  parts.sentAway.delete(registration.node);
  tellFault(registration.node, faultBefore, healthOf(registration).networkFault, parts.events);
  if (outcome.isStoreOlder) {
    tellWrongStore(registration.node, { reason: 'StoreWentBack', message: `the store was restored from a backup that is older than the last registration of node ${registration.node}` }, parts);
  }
  const session: LiveSession = {
    node: registration.node,
    sessionId,
    recordRevision,
    takesEndpointChanges: registration.takesEndpointChanges,
    takesKeptTasks: registration.takesKeptTasks === true,
    sentEndpoints: 0,
    endpointsGeneration: 0,
    lastHeardMonotonicMs: parts.clock.monotonicMs(),
    send: message => { end.send(message); },
    changed: change => { loop.changed(change); },
    close: reason => { end.close(reason); },
  };
  parts.log.info({ node: session.node, session: sessionId }, 'session opened');
  session.send(registered({ sessionId, subnetIndex }, parts));
  const loop: AgentSessionLoop = new AgentSessionLoop(parts, session, {
    receive: () => resume(messages),
    send: message => { end.send(message); },
    close: reason => { end.close(reason); },
  });
  loop.offer(registration.statuses);
  parts.sessions.add(session);
  parts.liveness.opened(session.node);
  try {
    await loop.run(signal);
  } finally {
    parts.sessions.remove(session);
    parts.log.info({ node: session.node, session: sessionId }, 'session ended');
  }
}

function registered(given: Pick<Registered, 'sessionId' | 'subnetIndex'>, { times, state, clusterId, news }: AgentApiParts): Registered {
  const records = [...state.current.controllers.values()].map(record => record.value);
  const controllers = records.map(record => record.apiAddress).sort();
  const joinAddresses = records.flatMap(({ joinAddress }) => joinAddress ?? []).sort();
  return { kind: 'registered', ...given, times: { heartbeatMs: times.heartbeatMs, lostMs: times.lostMs }, controllers, joinAddresses, clusterId, takesNodeHealth: true, takesNews: news !== undefined };
}

function tellWrongStore(node: NodeId, { reason, message }: Omit<WrongStore, 'kind'>, { events, log }: Pick<AgentApiParts, 'events' | 'log'>): void {
  log.error({ node }, message);
  events.record([{ type: 'warning', object: `node/${node}`, reason, message }]);
}

/** @throws ClusterError UNAVAILABLE while another session of this node is heard, here or at the controller on record */
async function requireUnheard(node: NodeId, parts: AgentApiParts): Promise<void> {
  const holder = parts.state.current.sessions.get(node)?.value.controllerId ?? '';
  if (isHeard(parts.sessions.get(node), parts.clock.monotonicMs(), parts.times) || (holder !== '' && await parts.peers.isHeardAt(holder, node))) {
    throw new ClusterError('UNAVAILABLE', `node ${node} has a session already, and its agent is heard: does a copy of it run somewhere?`);
  }
}

async function readRegistration(messages: AsyncIterator<AgentMessage>, peer: Peer): Promise<Registration> {
  const first = await messages.next();
  if (first.done === true || first.value.kind !== 'register') {
    throw new ClusterError('INVALID_ARGUMENT', 'a session begins with a registration');
  }
  requireNode(peer, first.value.node);
  const foreign = first.value.statuses.find(status => status.node !== peer.name);
  if (foreign !== undefined) {
    throw new ClusterError('PERMISSION_DENIED', `status of node ${foreign.node} in message does not match certificate (${peer.name})`);
  }
  return first.value;
}

/** The rest of an iteration that was begun. */
async function* resume<T>(iterator: AsyncIterator<T>): AsyncGenerator<T> {
  for (;;) {
    const next = await iterator.next();
    if (next.done === true) {
      return;
    }
    yield next.value;
  }
}
