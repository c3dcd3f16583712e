/**
 * Bytes of durable records, in etcd and on an agent's disk: one schema byte, then a protobuf message.
 *
 * The byte rises only when old programs must not read the new form; a field that is merely new keeps it. Encoding never
 * fails for a model value of whole, safe numbers; decoding anything else than such a record throws RecordError.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import * as stored from '#gen/gantry/v1/stored.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import type { UnreadableNode, UnreadableTask } from '#model/cluster-snapshot.ts';
import { parseNodeId, parseServiceId, serviceId } from '#model/ids.ts';
import { appCodec, revisionCodec, secretVersionCodec } from './app-codec.ts';
import { eventCodec } from './event-codec.ts';
import { namespaceCodec } from './namespace-codec.ts';
import { controllerRecordCodec, ledgerCodec, nodeCodec, removedNodeCodec, sessionRecordCodec } from './node-codec.ts';
import { clusterSettingsCodec, joinTokenCodec, registryLoginCodec, requestRecordCodec } from './request-codec.ts';
import { planRecordCodec } from './plan-codec.ts';
import { serviceCodec, serviceStatusCodec } from './service-codec.ts';
import { taskCodec, taskStatusCodec } from './task-codec.ts';
import { volumeCodec } from './volume-codec.ts';
import type { Codec } from './wire.ts';

/** The schema this program writes, and the newest it reads. */
export const SCHEMA = 1;

/** A record cannot be read: damaged, or written by a newer program. Others are not concerned. */
export class RecordError extends Error {
  override readonly name = 'RecordError';
}

export const { encode: encodeApp, decode: decodeApp } = recordOf('app', wire.App, appCodec);
export const { encode: encodeRevision, decode: decodeRevision } = recordOf('revision', wire.Revision, revisionCodec);
export const { encode: encodeService, decode: decodeService } = recordOf('service', wire.Service, serviceCodec);
export const { encode: encodeServiceStatus, decode: decodeServiceStatus } = recordOf('service status', wire.ServiceStatus, serviceStatusCodec);
export const { encode: encodeTask, decode: decodeTask } = recordOf('task', wire.Task, taskCodec);
export const { encode: encodeTaskStatus, decode: decodeTaskStatus } = recordOf('task status', wire.TaskStatus, taskStatusCodec);
export const { encode: encodeNode, decode: decodeNode } = recordOf('node', wire.Node, nodeCodec);
export const { encode: encodeSessionRecord, decode: decodeSessionRecord } = recordOf('session', stored.SessionRecord, sessionRecordCodec);
export const { encode: encodeRemovedNode, decode: decodeRemovedNode } = recordOf('removed node', stored.RemovedNode, removedNodeCodec);
export const { encode: encodeControllerRecord, decode: decodeControllerRecord } = recordOf('controller', wire.ControllerRecord, controllerRecordCodec);
export const { encode: encodeLedger, decode: decodeLedger } = recordOf('ledger', wire.Ledger, ledgerCodec);
export const { encode: encodeSecretVersion, decode: decodeSecretVersion } = recordOf('secret', stored.SecretVersion, secretVersionCodec);
export const { encode: encodeRegistryLogin, decode: decodeRegistryLogin } = recordOf('registry login', stored.RegistryLoginRecord, registryLoginCodec);
export const { encode: encodeClusterEvent, decode: decodeClusterEvent } = recordOf('event', wire.ClusterEvent, eventCodec);
export const { encode: encodeJoinTokenRecord, decode: decodeJoinTokenRecord } = recordOf('join token', stored.JoinTokenRecord, joinTokenCodec);
export const { encode: encodeRequestRecord, decode: decodeRequestRecord } = recordOf('request', stored.RequestRecord, requestRecordCodec);
export const { encode: encodePlanRecord, decode: decodePlanRecord } = recordOf('plan', stored.PlanRecord, planRecordCodec);
export const { encode: encodeNamespace, decode: decodeNamespace } = recordOf('namespace', wire.Namespace, namespaceCodec);
export const { encode: encodeVolume, decode: decodeVolume } = recordOf('volume', wire.Volume, volumeCodec);
export const { encode: encodeClusterSettings, decode: decodeClusterSettings } = recordOf('cluster settings', stored.ClusterSettings, clusterSettingsCodec);

/** What the legible part of a damaged or newer Task record says; nothing where that is not enough. */
export function salvageTask(bytes: Uint8Array): UnreadableTask {
  const { namespace, app, service, node } = legiblePart(wire.Task, bytes);
  return {
    ...found(() => ({ serviceId: parseServiceId(serviceId(namespace ?? '', app ?? '', service ?? '')) })),
    ...found(() => ({ node: parseNodeId(node ?? '') })),
  };
}

/** The same of a Node record. Subnet 0 is not written: it is not known then whether the subnet is 0 or not legible. */
export function salvageNode(bytes: Uint8Array): UnreadableNode {
  const { subnetIndex = 0 } = legiblePart(wire.Node, bytes);
  return subnetIndex === 0 ? {} : { subnetIndex };
}

function found<T extends object>(read: () => T): Partial<T> {
  try {
    return read();
  } catch {
    // Not legible.
    return {};
  }
}

/** Fields of the longest start of the bytes that is a message. */
function legiblePart<Wire extends object>(message: wire.MessageFns<Wire>, bytes: Uint8Array): Partial<Wire> {
  const reader = new BinaryReader(bytes.subarray(1));
  let legible = 0;
  try {
    while (reader.pos < reader.len) {
      const [, wireType] = reader.tag();
      reader.skip(wireType);
      legible = reader.pos;
    }
  } catch {
    // The rest is not legible.
  }
  return found(() => message.decode(bytes.subarray(1, 1 + legible)));
}

interface RecordCodec<Model> {
  readonly encode: (model: Model) => Uint8Array;
  /** @throws RecordError */
  readonly decode: (bytes: Uint8Array) => Model;
}

function recordOf<Model, Wire>(kind: string, message: wire.MessageFns<Wire>, codec: Codec<Model, Wire>): RecordCodec<Model> {
  return {
    encode(model) {
      const body = message.encode(codec.toWire(model)).finish();
      const bytes = new Uint8Array(body.length + 1);
      bytes[0] = SCHEMA;
      bytes.set(body, 1);
      return bytes;
    },
    decode(bytes) {
      const schema = bytes[0] ?? 0;
      if (schema === 0 || schema > SCHEMA) {
        throw new RecordError(`${kind} record has schema ${String(schema)}, this program reads 1 to ${String(SCHEMA)}`);
      }
      try {
        return codec.fromWire(message.decode(bytes.subarray(1)));
      } catch (error) {
        throw new RecordError(`${kind} record is damaged: ${error instanceof Error ? error.message : 'unreadable'}`, { cause: error });
      }
    },
  };
}
