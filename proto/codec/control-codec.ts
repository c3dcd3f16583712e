/** Requests and answers of ControlApi that are more than a list of plain fields. */
import type * as wire from '#gen/gantry/v1/control.ts';
import { RolloutAction as WireAction, TokenRole } from '#gen/gantry/v1/control.ts';
import { parseDigest } from '#model/digest.ts';
import type { Digest } from '#model/digest.ts';
import { parseNodeId, parseServiceId, parseTaskId } from '#model/ids.ts';
import type { NodeId, ServiceId } from '#model/ids.ts';
import type { ControlHandlers, RolloutAction } from '#model/ports.ts';
import { appSpecCodec } from './app-codec.ts';
import { usageSampleCodec } from './news-codec.ts';
import { availabilityCodec, controllerRecordCodec } from './node-codec.ts';
import type { Codec } from './wire.ts';
import { enumCodec, optional, ownBytes, present, required } from './wire.ts';

/** First parameter of a handler. */
export type RequestOf<Name extends keyof ControlHandlers> = Parameters<ControlHandlers[Name]>[0];
type AnswerOf<Name extends keyof ControlHandlers> = Awaited<ReturnType<ControlHandlers[Name]>>;

/** An answer that says no more than that it was done. */
export const doneCodec: Codec<void, object> = { toWire: () => ({}), fromWire: () => undefined };

/** A request whose model and wire form have the same plain fields. */
export function plainCodec<Message>(): Codec<Message, Message> {
  return { toWire: message => message, fromWire: message => message };
}

/** A request about one service, node or task; only that id needs a check. */
export function aboutService<Rest>(): Codec<Rest & { readonly service: ServiceId }, Rest & { readonly service: string }> {
  return { toWire: request => request, fromWire: request => ({ ...request, service: parseServiceId(request.service) }) };
}

export function aboutNode<Rest>(): Codec<Rest & { readonly node: NodeId }, Rest & { readonly node: string }> {
  return { toWire: request => request, fromWire: request => ({ ...request, node: parseNodeId(request.node) }) };
}

/** An answer that names an image; only its digest needs a check. */
export function withDigest<Rest>(): Codec<Rest & { readonly digest: Digest }, Rest & { readonly digest: string }> {
  return { toWire: answer => answer, fromWire: answer => ({ ...answer, digest: parseDigest(answer.digest) }) };
}

export const restartRequestCodec: Codec<RequestOf<'restart'>, wire.RestartRequest> = {
  toWire: request => request, fromWire: request => present({ ...request, service: parseServiceId(request.service) }),
};

const rolloutActionCodec = enumCodec<RolloutAction, WireAction>('rollout action', {
  'pause': WireAction.ROLLOUT_ACTION_PAUSE, 'resume': WireAction.ROLLOUT_ACTION_RESUME, 'promote': WireAction.ROLLOUT_ACTION_PROMOTE,
  'promote-all': WireAction.ROLLOUT_ACTION_PROMOTE_ALL, 'abort': WireAction.ROLLOUT_ACTION_ABORT,
});

export const changeRolloutRequestCodec: Codec<RequestOf<'changeRollout'>, wire.ChangeRolloutRequest> = {
  toWire: request => ({ ...request, action: rolloutActionCodec.toWire(request.action) }),
  fromWire: request => ({ ...request, service: parseServiceId(request.service), action: rolloutActionCodec.fromWire(request.action) }),
};

export const undoRequestCodec: Codec<RequestOf<'undo'>, wire.UndoRequest> = { toWire: request => request, fromWire: present };
export const planMovesRequestCodec: Codec<RequestOf<'planMoves'>, wire.PlanMovesRequest> = { toWire: request => request, fromWire: present };

export const moveTasksRequestCodec: Codec<RequestOf<'moveTasks'>, wire.MoveTasksRequest> = {
  toWire: request => request,
  fromWire: request => ({ ...request, moves: request.moves.map(({ task, node }) => ({ task: parseTaskId(task), node: parseNodeId(node) })) }),
};

export const stopTaskRequestCodec: Codec<RequestOf<'stopTask'>, wire.StopTaskRequest> = {
  toWire: request => request, fromWire: request => present({ ...request, task: parseTaskId(request.task) }),
};

export const updateResourcesRequestCodec: Codec<RequestOf<'updateResources'>, wire.UpdateResourcesRequest> = {
  toWire: ({ requestId, target, change }) => ({
    requestId, change,
    target: target.kind === 'service' ? { $case: 'service', value: target.service } : { $case: 'task', value: target.task },
  }),
  fromWire: ({ requestId, target, change }) => {
    const { io, ...rest } = required(change, 'change');
    const named = required(target, 'target');
    return {
      requestId,
      target: named.$case === 'service' ? { kind: 'service', service: parseServiceId(named.value) } : { kind: 'task', task: parseTaskId(named.value) },
      change: present({ ...rest, io: optional(io, present) }),
    };
  },
};

export const setPausedRequestCodec: Codec<RequestOf<'setPaused'>, wire.SetPausedRequest> = {
  toWire: request => request, fromWire: request => ({ ...request, tasks: request.tasks.map(parseTaskId) }),
};

/** A request whose fields may all be absent. */
export const listSecretsRequestCodec: Codec<RequestOf<'listSecrets'>, wire.ListSecretsRequest> = { toWire: request => request, fromWire: present };
export const listRegistryLoginsRequestCodec: Codec<RequestOf<'listRegistryLogins'>, wire.ListRegistryLoginsRequest> = { toWire: request => request, fromWire: present };
export const eventFilterCodec: Codec<RequestOf<'events'>, wire.EventFilter> = { toWire: filter => filter, fromWire: present };

export const applyRequestCodec: Codec<RequestOf<'apply'>, wire.ApplyRequest> = {
  toWire: request => ({ ...request, app: appSpecCodec.toWire(request.app) }),
  fromWire: request => present({ ...request, app: appSpecCodec.fromWire(required(request.app, 'app')) }),
};

export const putSecretRequestCodec: Codec<RequestOf<'putSecret'>, wire.PutSecretRequest> = {
  toWire: request => request,
  fromWire: request => ({ ...request, content: ownBytes(request.content) }),
};

export const tagImageRequestCodec: Codec<RequestOf<'tagImage'>, wire.TagImageRequest> = { toWire: request => request, fromWire: present };

const tokenRoleCodec = enumCodec<RequestOf<'createToken'>['role'], TokenRole>('token role', { node: TokenRole.TOKEN_ROLE_NODE });

export const createTokenRequestCodec: Codec<RequestOf<'createToken'>, wire.CreateTokenRequest> = {
  toWire: request => ({ ...request, role: tokenRoleCodec.toWire(request.role) }),
  fromWire: request => present({ ...request, role: tokenRoleCodec.fromWire(request.role) }),
};

export const setAvailabilityRequestCodec: Codec<RequestOf<'setAvailability'>, wire.SetAvailabilityRequest> = {
  toWire: request => ({ ...request, availability: availabilityCodec.toWire(request.availability) }),
  fromWire: request => ({
    ...request, node: parseNodeId(request.node), availability: availabilityCodec.fromWire(request.availability),
  }),
};

export const setLabelsRequestCodec: Codec<RequestOf<'setLabels'>, wire.SetLabelsRequest> = {
  toWire: request => ({ ...request, set: new Map(request.set) }),
  fromWire: request => ({ ...request, node: parseNodeId(request.node) }),
};

export const clusterStatusCodec: Codec<AnswerOf<'clusterStatus'>, wire.ClusterStatusResponse> = {
  toWire: status => ({ ...status, controllers: status.controllers.map(controllerRecordCodec.toWire) }),
  fromWire: status => present({ ...status, controllers: status.controllers.map(controllerRecordCodec.fromWire) }),
};

export const clusterUsageCodec: Codec<AnswerOf<'usage'>, wire.UsageResponse> = {
  toWire: usage => ({ ...usage, tasks: usage.tasks.map(task => ({ ...task, sample: usageSampleCodec.toWire(task.sample) })) }),
  fromWire: usage => ({ ...usage, tasks: usage.tasks.map(task => present({ ...task, sample: usageSampleCodec.fromWire(required(task.sample, 'sample')) })) }),
};
