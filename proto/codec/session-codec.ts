import type * as wire from '#gen/gantry/v1/agent.ts';
import type { AssignedContent, AssignmentDelta, FullAssignment } from '#model/assignment.ts';
import { parseNodeId, parseTaskId } from '#model/ids.ts';
import type { RegistryLogin } from '#model/node-images.ts';
import type { AgentMessage, AgentNews, ControllerMessage, Heartbeat, HeartbeatAck, Registered, Registration, SessionRefusal } from '#model/session.ts';
import { endpointChangeCodec, endpointSetCodec } from './endpoints-codec.ts';
import { eventCodec } from './event-codec.ts';
import { usageSampleCodec } from './news-codec.ts';
import { policyFromWire } from './node-codec.ts';
import { taskCodec, taskStatusCodec } from './task-codec.ts';
import { tunnelRequestCodec } from './tunnel-codec.ts';
import type { Codec } from './wire.ts';
import { ownBytes, present, required, unknownCase, WireError } from './wire.ts';

export const agentMessageCodec: Codec<AgentMessage, wire.SessionRequest> = {
  toWire: message => ({ message: agentMessageToWire(message) }),
  fromWire: message => agentMessageFromWire(message),
};

export const controllerMessageCodec: Codec<ControllerMessage, wire.SessionResponse> = {
  toWire: message => ({ message: controllerMessageToWire(message) }),
  fromWire: message => controllerMessageFromWire(message),
};

/** Absent: the namespace has no login there. */
export const pullLoginAnswerCodec: Codec<RegistryLogin | undefined, wire.PullLoginResponse> = {
  toWire: login => ({ login }),
  fromWire: ({ login }) => login,
};

function agentMessageToWire(message: AgentMessage): wire.SessionRequest['message'] {
  switch (message.kind) {
    case 'register': return { $case: 'register', value: registrationToWire(message) };
    case 'heartbeat': return { $case: 'heartbeat', value: { ...message, statuses: message.statuses.map(taskStatusCodec.toWire) } };
    case 'tunnel-refused': return { $case: 'tunnelRefused', value: message };
    case 'assignment-gap': return { $case: 'assignmentGap', value: {} };
    case 'endpoints-gap': return { $case: 'endpointsGap', value: {} };
    case 'news': return { $case: 'news', value: newsToWire(message) };
    case 'unknown': return undefined;
  }
}

function agentMessageFromWire({ message, ...rest }: wire.SessionRequest): AgentMessage {
  switch (message?.$case) {
    case undefined: return unknownCase('session message', rest);
    case 'register': return registrationFromWire(message.value);
    case 'heartbeat': return heartbeatFromWire(message.value);
    case 'tunnelRefused': return { kind: 'tunnel-refused', ...message.value };
    case 'assignmentGap': return { kind: 'assignment-gap' };
    case 'endpointsGap': return { kind: 'endpoints-gap' };
    case 'news': return newsFromWire(message.value);
  }
}

function newsToWire({ usage, events }: AgentNews): wire.AgentNews {
  return { usage: usage.map(usageSampleCodec.toWire), events: events.map(eventCodec.toWire) };
}

function newsFromWire({ usage, events }: wire.AgentNews): AgentNews {
  return { kind: 'news', usage: usage.map(usageSampleCodec.fromWire), events: events.map(eventCodec.fromWire) };
}

function registrationToWire(registration: Registration): wire.Registration {
  return { ...registration, labels: new Map(registration.labels), statuses: registration.statuses.map(taskStatusCodec.toWire) };
}

function registrationFromWire(registration: wire.Registration): Registration {
  const { takesKeptTasks, hugepageSizes, ...rest } = registration;
  return {
    ...rest,
    ...(hugepageSizes === undefined ? {} : { hugepageSizes }),
    ...(takesKeptTasks === undefined ? {} : { takesKeptTasks }),
    kind: 'register',
    node: parseNodeId(registration.node),
    capacity: present(required(registration.capacity, 'registration.capacity')),
    policy: policyFromWire(registration.policy),
    statuses: registration.statuses.map(taskStatusCodec.fromWire),
  };
}

function heartbeatFromWire({ health, ...heartbeat }: wire.Heartbeat): Heartbeat {
  const statuses = heartbeat.statuses.map(taskStatusCodec.fromWire);
  return { ...heartbeat, kind: 'heartbeat', statuses, ...(health === undefined ? {} : { health }) };
}

function controllerMessageToWire(message: ControllerMessage): wire.SessionResponse['message'] {
  switch (message.kind) {
    case 'registered': return { $case: 'registered', value: { ...message, ...message.times } };
    case 'ack': return { $case: 'ack', value: message };
    case 'assignment':
      return message.assignment.kind === 'full'
        ? { $case: 'full', value: fullToWire(message.assignment) }
        : { $case: 'delta', value: deltaToWire(message.assignment) };
    case 'endpoints': return { $case: 'endpoints', value: endpointSetCodec.toWire(message.endpoints) };
    case 'endpoint-change': return { $case: 'endpointChange', value: endpointChangeCodec.toWire(message.change) };
    case 'open-tunnel':
      return { $case: 'openTunnel', value: { tunnelId: message.tunnelId, target: tunnelRequestCodec.toWire(message.request), login: message.login } };
    case 'go-elsewhere': return { $case: 'goElsewhere', value: message };
    case 'refused': return { $case: 'refused', value: message };
    case 'unknown': return undefined;
  }
}

function controllerMessageFromWire({ message, ...rest }: wire.SessionResponse): ControllerMessage {
  switch (message?.$case) {
    case undefined: return unknownCase('session message', rest);
    case 'registered': return registeredFromWire(message.value);
    case 'ack': return ackFromWire(message.value);
    case 'full': return { kind: 'assignment', assignment: fullFromWire(message.value) };
    case 'delta': return { kind: 'assignment', assignment: deltaFromWire(message.value) };
    case 'endpoints': return { kind: 'endpoints', endpoints: endpointSetCodec.fromWire(message.value) };
    case 'endpointChange': return { kind: 'endpoint-change', change: endpointChangeCodec.fromWire(message.value) };
    case 'openTunnel': return openTunnelFromWire(message.value);
    case 'goElsewhere': return { kind: 'go-elsewhere', reason: message.value.reason };
    case 'refused': return refusalFromWire(message.value);
  }
}

/** A tunnel of a kind that this program does not know is refused by its id; the session is not concerned. */
function openTunnelFromWire({ tunnelId, target, login }: wire.OpenTunnel): ControllerMessage {
  try {
    return { kind: 'open-tunnel', ...present({ tunnelId, request: tunnelRequestCodec.fromWire(required(target, 'open-tunnel.target')), login }) };
  } catch (error) {
    return { kind: 'unknown', tunnelId, reason: error instanceof Error ? error.message : 'unreadable' };
  }
}

function refusalFromWire({ code, message }: wire.SessionRefusal): SessionRefusal {
  if (code !== 'PERMISSION_DENIED' && code !== 'FAILED_PRECONDITION') {
    throw new WireError(`session refusal has code ${JSON.stringify(code)}`);
  }
  return { kind: 'refused', code, message };
}

function registeredFromWire({ heartbeatMs, lostMs, takesNodeHealth, takesNews, ...rest }: wire.Registered): Registered {
  return { ...present({ ...rest, takesNodeHealth, takesNews }), kind: 'registered', times: { heartbeatMs, lostMs } };
}

function ackFromWire(ack: wire.HeartbeatAck): HeartbeatAck {
  return { kind: 'ack', seq: ack.seq, settled: ack.settled.map(settled => ({ ...settled, task: parseTaskId(settled.task) })) };
}

function fullToWire(assignment: FullAssignment): wire.FullAssignment {
  return { ...assignment, tasks: assignment.tasks.map(taskCodec.toWire), keptTasks: assignment.keptTasks ?? [], ...removalsToWire(assignment) };
}

function fullFromWire(assignment: wire.FullAssignment): FullAssignment {
  const { volumeRemovalFences: _, keptTasks, ...rest } = assignment;
  return {
    ...rest, kind: 'full', tasks: assignment.tasks.map(taskCodec.fromWire), contents: assignment.contents.map(contentFromWire),
    volumeRemovals: removalsFromWire(assignment), ...(keptTasks.length === 0 ? {} : { keptTasks: keptTasks.map(parseTaskId) }),
  };
}

function deltaToWire(assignment: AssignmentDelta): wire.AssignmentDelta {
  return { ...assignment, upserts: assignment.upserts.map(taskCodec.toWire), ...removalsToWire(assignment) };
}

function deltaFromWire(assignment: wire.AssignmentDelta): AssignmentDelta {
  const { volumeRemovalFences: _, ...rest } = assignment;
  return {
    ...rest,
    kind: 'delta',
    upserts: assignment.upserts.map(taskCodec.fromWire),
    removals: assignment.removals.map(parseTaskId),
    contents: assignment.contents.map(contentFromWire),
    volumeRemovals: removalsFromWire(assignment),
  };
}

type WireRemovals = Pick<wire.FullAssignment, 'volumeRemovals' | 'volumeRemovalFences'>;

/** Two lists: agents of before the fences know the names alone. */
function removalsToWire({ volumeRemovals }: Pick<FullAssignment, 'volumeRemovals'>): WireRemovals {
  return { volumeRemovals: volumeRemovals.map(({ name }) => name), volumeRemovalFences: volumeRemovals.map(({ fence }) => fence) };
}

function removalsFromWire({ volumeRemovals, volumeRemovalFences }: WireRemovals): FullAssignment['volumeRemovals'] {
  return volumeRemovals.map((name, index) => ({ name, fence: volumeRemovalFences[index] ?? Number.MAX_SAFE_INTEGER }));
}

function contentFromWire({ key, content }: wire.AssignedContent): AssignedContent {
  return { key, content: ownBytes(content) };
}
