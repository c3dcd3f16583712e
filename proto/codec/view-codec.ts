import type * as wire from '#gen/gantry/v1/control.ts';
import { TaskState as WireState } from '#gen/gantry/v1/control.ts';
import { parseAppId, parseNodeId, parseServiceId, parseTaskId } from '#model/ids.ts';
import type { ClusterView, ListFilter, NodeView, ServiceView, TaskView, ViewChange, ViewPage, ViewRequest } from '#model/ports.ts';
import type { TaskState } from '#model/task.ts';
import { appCodec } from './app-codec.ts';
import { ledgerCodec, nodeCodec } from './node-codec.ts';
import { serviceCodec, serviceStatusCodec } from './service-codec.ts';
import { taskCodec, taskStatusCodec } from './task-codec.ts';
import type { Codec } from './wire.ts';
import { enumCodec, optional, present, required } from './wire.ts';

const stateCodec = enumCodec<TaskState, WireState>('task state', {
  pending: WireState.TASK_STATE_PENDING,
  assigned: WireState.TASK_STATE_ASSIGNED,
  pulling: WireState.TASK_STATE_PULLING,
  preparing: WireState.TASK_STATE_PREPARING,
  starting: WireState.TASK_STATE_STARTING,
  running: WireState.TASK_STATE_RUNNING,
  stopping: WireState.TASK_STATE_STOPPING,
  complete: WireState.TASK_STATE_COMPLETE,
  failed: WireState.TASK_STATE_FAILED,
  lost: WireState.TASK_STATE_LOST,
  paused: WireState.TASK_STATE_PAUSED,
});

export const listFilterCodec: Codec<ListFilter, wire.ListFilter> = {
  toWire: filter => filter,
  fromWire: filter => present({ ...filter, node: optional(filter.node, parseNodeId) }),
};

export const clusterViewCodec: Codec<ClusterView, wire.ClusterView> = {
  toWire: view => ({
    ...view,
    apps: view.apps.map(appCodec.toWire),
    services: view.services.map(serviceViewToWire),
    tasks: view.tasks.map(taskViewToWire),
    nodes: view.nodes.map(nodeViewToWire),
    change: optional(view.change, changeToWire),
  }),
  fromWire: view => present({
    ...view,
    apps: view.apps.map(appCodec.fromWire),
    services: view.services.map(serviceViewFromWire),
    tasks: view.tasks.map(taskViewFromWire),
    pending: view.pending.map(pending => ({ ...pending, service: parseServiceId(pending.service) })),
    nodes: view.nodes.map(nodeViewFromWire),
    change: optional(view.change, changeFromWire),
  }),
};

export const viewRequestCodec: Codec<ViewRequest, wire.ViewRequest> = {
  toWire: request => ({ ...request, filter: listFilterCodec.toWire(request.filter) }),
  fromWire: request => present({ ...request, filter: listFilterCodec.fromWire(required(request.filter, 'filter')) }),
};

export const viewPageCodec: Codec<ViewPage, wire.ViewResponse> = {
  toWire: page => ({ ...page, view: clusterViewCodec.toWire(page.view) }),
  fromWire: page => present({ ...page, view: clusterViewCodec.fromWire(required(page.view, 'view')) }),
};

function changeToWire({ isPartial, goneApps, goneServices, goneTasks, goneNodes }: ViewChange): wire.ViewChange {
  return { isPartial, goneApps: [...goneApps], goneServices: [...goneServices], goneTasks: [...goneTasks], goneNodes: [...goneNodes] };
}

function changeFromWire({ isPartial, goneApps, goneServices, goneTasks, goneNodes }: wire.ViewChange): ViewChange {
  return {
    isPartial, goneApps: goneApps.map(parseAppId), goneServices: goneServices.map(parseServiceId),
    goneTasks: goneTasks.map(parseTaskId), goneNodes: goneNodes.map(parseNodeId),
  };
}

function serviceViewToWire(view: ServiceView): wire.ServiceView {
  return { ...view, service: serviceCodec.toWire(view.service), status: optional(view.status, serviceStatusCodec.toWire) };
}

function serviceViewFromWire(view: wire.ServiceView): ServiceView {
  return present({
    ...view,
    service: serviceCodec.fromWire(required(view.service, 'service view.service')),
    status: optional(view.status, serviceStatusCodec.fromWire),
  });
}

function taskViewToWire(view: TaskView): wire.TaskView {
  return { task: taskCodec.toWire(view.task), status: optional(view.status, taskStatusCodec.toWire), state: stateCodec.toWire(view.state) };
}

function taskViewFromWire(view: wire.TaskView): TaskView {
  return present({
    task: taskCodec.fromWire(required(view.task, 'task view.task')),
    status: optional(view.status, taskStatusCodec.fromWire),
    state: stateCodec.fromWire(view.state),
  });
}

function nodeViewToWire(view: NodeView): wire.NodeView {
  return { ...view, node: nodeCodec.toWire(view.node), ledger: ledgerCodec.toWire(view.ledger) };
}

function nodeViewFromWire(view: wire.NodeView): NodeView {
  return present({
    ...view,
    node: nodeCodec.fromWire(required(view.node, 'node view.node')),
    ledger: ledgerCodec.fromWire(required(view.ledger, 'node view.ledger')),
  });
}
