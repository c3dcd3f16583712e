import { fc } from '../../../support/property.ts';
import { clusterViewCodec, listFilterCodec } from '#codec/view-codec.ts';
import * as wire from '#gen/gantry/v1/control.ts';
import type { ClusterView, NodeView, ServiceView, TaskView } from '#model/ports.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { clusterView, nodeId } from '../../../support/wire-arbitraries.ts';

export const carried: [
  Carried<ClusterView, wire.ClusterView, 'namespace'>, Carried<NodeView, wire.NodeView>, Carried<ServiceView, wire.ServiceView>, Carried<TaskView, wire.TaskView>,
] = [true, true, true, true];

testRoundTrip('cluster view', clusterViewCodec, wire.ClusterView, clusterView);
testRoundTrip('list filter', listFilterCodec, wire.ListFilter, fc.record({ namespace: fc.string(), app: fc.string(), service: fc.string(), node: nodeId, withoutTasks: fc.boolean(), onlyRecords: fc.boolean(), takesChanges: fc.boolean() }, { requiredKeys: [] }));
