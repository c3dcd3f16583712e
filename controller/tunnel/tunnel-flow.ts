/** A client's tunnel to a task: to the node whose session this replica holds, or one hop further to the replica that does. */
import { ClusterError } from '#model/errors.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import type { Tunnel, TunnelRequest } from '#model/tunnel.ts';
import type { ClusterState } from '../api/ports.ts';
import type { SessionTable } from '../api/session-table.ts';
import type { PeerTunnels } from './ports.ts';
import type { TunnelBroker } from './tunnel-broker-flow.ts';

export interface TunnelParts {
  readonly state: ClusterState;
  readonly sessions: SessionTable;
  readonly broker: TunnelBroker;
  readonly peers: PeerTunnels;
}

/**
 * Joins the client's tunnel with the task's node until either end closes.
 *
 * @throws ClusterError NOT_FOUND (no such task), FAILED_PRECONDITION (it does not run), UNAVAILABLE (its node has no session)
 */
export async function serveClientTunnel(request: TunnelRequest, client: Tunnel, parts: TunnelParts, signal: AbortSignal): Promise<void> {
  const task = requireReachable(request, parts.state);
  if (parts.sessions.get(task.node) !== undefined) {
    await serveLocalTunnel(request, client, parts, signal);
    return;
  }
  const snapshot = parts.state.current;
  const holder = snapshot.controllers.get(snapshot.sessions.get(task.node)?.value.controllerId ?? '');
  if (holder === undefined) {
    throw new ClusterError('UNAVAILABLE', `node ${task.node} of task ${task.id} has no session now; try again in a few seconds`);
  }
  await joinTunnels(client, parts.peers.relay(holder.value, request, signal));
}

/** The same for a session of this replica alone: what a peer asks for. @throws ClusterError UNAVAILABLE when the session is not here */
export async function serveLocalTunnel(request: TunnelRequest, client: Tunnel, parts: TunnelParts, signal: AbortSignal): Promise<void> {
  const task = requireReachable(request, parts.state);
  const session = parts.sessions.get(task.node);
  if (session === undefined) {
    throw new ClusterError('UNAVAILABLE', `this controller does not hold the session of node ${task.node}`);
  }
  const arrived = await parts.broker.open(session, request, signal);
  try {
    await joinTunnels(client, arrived.tunnel);
  } finally {
    arrived.finish();
  }
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

function requireReachable(request: TunnelRequest, state: ClusterState): Task {
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
