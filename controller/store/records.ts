/** Bytes of etcd values <-> model values, for the programs' parts that may not know codecs. */
import {
  decodeApp, decodeClusterEvent, decodeControllerRecord, decodeLedger, decodeNamespace, decodeNode, decodeSecretVersion, decodeService, decodeServiceStatus, decodeSessionRecord,
  decodeTask, decodeTaskStatus, decodeVolume,
} from '#codec/record-codec.ts';
import type { RecordKind } from './keys.ts';

export {
  decodeClusterEvent, decodeClusterSettings, decodeControllerRecord, decodeJoinTokenRecord, decodeLedger, decodeNode, decodePlanRecord, decodeRegistryLogin, decodeRemovedNode, decodeRequestRecord,
  decodeRevision, decodeSecretVersion, decodeService, decodeServiceStatus, decodeTask, encodeApp,
  encodeClusterEvent, encodeClusterSettings, encodeControllerRecord, encodeJoinTokenRecord, encodeLedger, encodeNamespace, encodeNode, encodePlanRecord, encodeRegistryLogin, encodeRemovedNode, encodeRequestRecord,
  encodeRevision, encodeSecretVersion, encodeService, encodeServiceStatus, encodeSessionRecord, encodeTask, encodeTaskStatus, encodeVolume, RecordError,
  salvageNode, salvageTask,
} from '#codec/record-codec.ts';
export { encodeTaskStatus as encodeStatusRecord, decodeTaskStatus as decodeStatusRecord } from '#codec/record-codec.ts';

/** How the mirror reads each kind that it holds. The leader key's value is the leader's ControllerRecord. */
export const MIRROR_DECODERS = {
  leader: decodeControllerRecord,
  controller: decodeControllerRecord,
  'mass-breaker': decodeClusterEvent,
  node: decodeNode,
  ledger: decodeLedger,
  session: decodeSessionRecord,
  app: decodeApp,
  service: decodeService,
  'service-status': decodeServiceStatus,
  task: decodeTask,
  status: decodeTaskStatus,
  secret: decodeSecretVersion,
  namespace: decodeNamespace,
  volume: decodeVolume,
} as const satisfies Partial<Record<RecordKind, (bytes: Uint8Array) => unknown>>;

export type MirroredKind = keyof typeof MIRROR_DECODERS;
