import type * as stored from '#gen/gantry/v1/stored.ts';
import type * as wire from '#gen/gantry/v1/types.ts';
import { Availability as WireAvailability, NodeCondition } from '#gen/gantry/v1/types.ts';
import { parseNodeId } from '#model/ids.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import type { Availability, ControllerRecord, Ledger, Node, NodePolicy, SessionRecord } from '#model/node.ts';
import type { NodeWishes, RemovedNode } from '#model/records.ts';
import type { Codec } from './wire.ts';
import { enumCodec, optional, present, required } from './wire.ts';

export const availabilityCodec = enumCodec<Availability, WireAvailability>('availability', {
  active: WireAvailability.AVAILABILITY_ACTIVE,
  cordoned: WireAvailability.AVAILABILITY_CORDONED,
  draining: WireAvailability.AVAILABILITY_DRAINING,
});

const conditionCodec = enumCodec<Node['condition'], NodeCondition>('node condition', {
  ready: NodeCondition.NODE_CONDITION_READY,
  silent: NodeCondition.NODE_CONDITION_SILENT,
  lost: NodeCondition.NODE_CONDITION_LOST,
});

export const nodeCodec: Codec<Node, wire.Node> = {
  toWire: node => ({
    ...node,
    availability: availabilityCodec.toWire(node.availability),
    labels: new Map(node.labels),
    condition: conditionCodec.toWire(node.condition),
    policy: openPolicy(node.policy),
  }),
  fromWire: ({ hugepageSizes, ...node }) => ({
    ...node,
    ...(hugepageSizes === undefined ? {} : { hugepageSizes }),
    id: parseNodeId(node.id),
    availability: availabilityCodec.fromWire(node.availability),
    capacity: present(required(node.capacity, 'node.capacity')),
    policy: policyFromWire(node.policy),
    condition: conditionCodec.fromWire(node.condition),
  }),
};

/** A closed policy is not written, as by programs that did not know it. */
function openPolicy(policy: NodePolicy): NodePolicy | undefined {
  const isClosed = !policy.allowsPrivileged && [policy.bindPrefixes, policy.devicePaths, policy.devices].every(list => list.length === 0);
  return isClosed ? undefined : policy;
}

export function policyFromWire(policy: wire.NodePolicy | undefined): NodePolicy {
  return policy === undefined ? CLOSED_NODE_POLICY : { ...policy, devices: policy.devices.map(present) };
}

export const ledgerCodec: Codec<Ledger, wire.Ledger> = {
  toWire: ledger => ledger,
  fromWire: ledger => ({ ...ledger, node: parseNodeId(ledger.node), requests: present(required(ledger.requests, 'ledger.requests')) }),
};

export const sessionRecordCodec: Codec<SessionRecord, stored.SessionRecord> = {
  toWire: session => session,
  fromWire: session => ({ ...session, node: parseNodeId(session.node) }),
};

export const removedNodeCodec: Codec<RemovedNode, stored.RemovedNode> = {
  toWire: ({ replaced, ...removed }) => ({ ...removed, replaced: optional(replaced, wishesToWire) }),
  fromWire: ({ replaced, ...removed }) => present({
    ...removed, node: parseNodeId(removed.node), replaced: optional(replaced, wishesFromWire),
  }),
};

function wishesToWire(wishes: NodeWishes): stored.NodeWishes {
  return { ...wishes, availability: availabilityCodec.toWire(wishes.availability), labels: new Map(wishes.labels) };
}

function wishesFromWire(wishes: stored.NodeWishes): NodeWishes {
  return { ...wishes, availability: availabilityCodec.fromWire(wishes.availability) };
}

export const controllerRecordCodec: Codec<ControllerRecord, wire.ControllerRecord> = {
  toWire: controller => ({ ...controller, joinAddress: controller.joinAddress }),
  fromWire: controller => present(controller),
};
