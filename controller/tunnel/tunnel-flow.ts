/** A client's tunnel to a task or a node: to the node whose session this replica holds, or one hop further to the replica that does. */
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import { parseImageReference } from '#model/image-reference.ts';
import type { RegistryLogin } from '#model/node-images.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import type { TaskTunnelRequest, Tunnel, TunnelRequest } from '#model/tunnel.ts';
import type { ClusterState, RegistryLogins } from '../api/ports.ts';
import type { SessionTable } from '../api/session-table.ts';
import { describeAbsence } from './node-absence.ts';
import type { PeerTunnels } from './ports.ts';
import type { TunnelBroker } from './tunnel-broker-flow.ts';

export interface TunnelParts {
  readonly state: ClusterState;
  readonly sessions: SessionTable;
  readonly broker: TunnelBroker;
  readonly peers: PeerTunnels;
  readonly logins: Pick<RegistryLogins, 'find'>;
}

/** The node, and what it is there for, as messages name it. */
interface Place {
  readonly node: NodeId;
  readonly what: string;
}

/**
 * Joins the client's tunnel with the node until either end closes.
 *
 * @throws ClusterError NOT_FOUND (no such task, no such node), FAILED_PRECONDITION (it does not run), UNAVAILABLE (its node has no session)
 */
export async function serveClientTunnel(request: TunnelRequest, client: Tunnel, parts: TunnelParts, signal: AbortSignal): Promise<void> {
  const { node, what } = requirePlace(request, parts.state);
  if (parts.sessions.get(node) !== undefined) {
    await serveLocalTunnel(request, client, parts, signal);
    return;
  }
  const snapshot = parts.state.current;
  const holder = snapshot.controllers.get(snapshot.sessions.get(node)?.value.controllerId ?? '');
  if (holder === undefined) {
    throw absence({ node, what }, parts.state);
  }
  await joinTunnels(client, parts.peers.relay(holder.value, request, signal));
}

/** The same for a session of this replica alone: what a peer asks for. @throws ClusterError UNAVAILABLE when the session is not here */
export async function serveLocalTunnel(request: TunnelRequest, client: Tunnel, parts: TunnelParts, signal: AbortSignal): Promise<void> {
  const place = requirePlace(request, parts.state);
  const session = parts.sessions.get(place.node);
  if (session === undefined) {
    throw absence(place, parts.state);
  }
  const arrived = await parts.broker.open(session, { request, ...await loginFor(request, parts, signal) }, signal);
  try {
    await joinTunnels(client, arrived.tunnel);
  } finally {
    arrived.finish();
  }
}

function absence({ node, what }: Place, { current }: ClusterState): ClusterError {
  return new ClusterError('UNAVAILABLE', describeAbsence(what, node, current.nodes.get(node)?.value));
}

/**
 * Carries frames both ways until either end closes; the other is closed then. Frames sent before are delivered. @throws what ended the
 * agent's side before its time: the client's side is left open for it, a clean end would look like an empty answer
 */
export async function joinTunnels(client: Tunnel, agent: Tunnel): Promise<void> {
  // The client's side ends when its stream does; how it ended does not matter any more.
  const upward = carry(client, agent).catch(() => undefined).finally(() => { agent.close(); });
  try {
    await carry(agent, client);
  } finally {
    agent.close();
  }
  client.close();
  await upward;
}

async function carry(from: Tunnel, to: Tunnel): Promise<void> {
  for await (const frame of from.frames) {
    await to.send(frame);
  }
}

/** What the node of a pull needs to open the registry; decided here, whatever the client says. */
async function loginFor(request: TunnelRequest, { logins }: TunnelParts, signal: AbortSignal): Promise<{ readonly login?: RegistryLogin }> {
  if ('task' in request || request.images.kind !== 'pull') {
    return {};
  }
  const { image, namespace } = request.images;
  const parsed = parseImageReference(image);
  if ('problem' in parsed || parsed.value.registry === undefined) {
    throw new ClusterError('INVALID_ARGUMENT', 'problem' in parsed ? parsed.problem : `image ${image} names no registry`);
  }
  const login = await logins.find(namespace, parsed.value.registry, signal);
  return login === undefined ? {} : { login };
}

function requirePlace(request: TunnelRequest, state: ClusterState): Place {
  if ('task' in request) {
    const { node, id } = requireReachable(request, state);
    return { node, what: `node ${node} of task ${id}` };
  }
  if (!state.current.nodes.has(request.node)) {
    throw new ClusterError('NOT_FOUND', `node ${request.node} is not known`);
  }
  return { node: request.node, what: `node ${request.node}` };
}

function requireReachable(request: TaskTunnelRequest, state: ClusterState): Task {
  const snapshot = state.current;
  const task = snapshot.tasks.get(request.task)?.value;
  if (task === undefined) {
    throw new ClusterError('NOT_FOUND', `task ${request.task} is not known`);
  }
  const status = snapshot.statuses.get(task.id)?.value;
  const isBegun = request.container !== undefined && status?.phase === 'preparing';
  const isReachable = request.spec.kind === 'logs' || isBegun || status?.phase === 'running' || status?.phase === 'starting';
  if (!isReachable) {
    throw new ClusterError('FAILED_PRECONDITION', `task ${task.id} is not running (${describeEnd(status)})`);
  }
  return task;
}

function describeEnd(status: TaskStatus | undefined): string {
  const exit = status?.lastExit;
  if (exit === undefined) {
    return `it is ${status?.phase ?? 'pending'}`;
  }
  return `exited ${exit.code === null ? 'with an unknown code' : String(exit.code)} at ${new Date(exit.finishedAtMs).toISOString()}`;
}
