/**
 * Names and ids: branded strings with one parser each.
 *
 * Source of the label rule: RFC 1123 section 2.1, as narrowed by Kubernetes to `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, 63 characters.
 */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** The name of a machine with an agent; an RFC 1123 label. */
export type NodeId = Branded<'NodeId'>;
/** 12 characters of lower-case base32; unique for ever in a cluster. */
export type TaskId = Branded<'TaskId'>;
/** `namespace/app`. */
export type AppId = Branded<'AppId'>;
/** `namespace/app/service`. */
export type ServiceId = Branded<'ServiceId'>;

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const TASK_ID = /^[a-z2-7]{12}$/;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
/** Bytes of randomness that `taskIdFromBytes` needs. */
export const TASK_ID_BYTES = 12;

/** True for an RFC 1123 label of at most 63 characters. The `$` of the expression never matches before a newline: no `m` flag. */
export function isLabel(text: string): boolean {
  return LABEL.test(text);
}

/** @throws RangeError when `text` is not an RFC 1123 label */
export function parseNodeId(text: string): NodeId {
  if (!isLabel(text)) {
    throw new RangeError(`node name ${JSON.stringify(text)} is not an RFC 1123 label`);
  }
  return text as NodeId;
}

/** @throws RangeError when `text` is not 12 characters of base32 */
export function parseTaskId(text: string): TaskId {
  if (!TASK_ID.test(text)) {
    throw new RangeError(`task id ${JSON.stringify(text)} is not 12 characters of base32`);
  }
  return text as TaskId;
}

/** A task id from 12 bytes of randomness; the low five bits of each byte count. */
export function taskIdFromBytes(bytes: Uint8Array): TaskId {
  let id = '';
  for (let index = 0; index < TASK_ID_BYTES; index += 1) {
    id += BASE32.charAt((bytes[index] ?? 0) & 31);
  }
  return id as TaskId;
}

export function appId(namespace: string, app: string): AppId {
  return `${namespace}/${app}` as AppId;
}

export function serviceId(namespace: string, app: string, service: string): ServiceId {
  return `${namespace}/${app}/${service}` as ServiceId;
}

/** @throws RangeError when `text` is not two RFC 1123 labels joined by `/` */
export function parseAppId(text: string): AppId {
  const labels = text.split('/');
  if (labels.length !== 2 || !labels.every(isLabel)) {
    throw new RangeError(`app id ${JSON.stringify(text)} is not NAMESPACE/APP`);
  }
  return text as AppId;
}

/** @throws RangeError when `text` is not three RFC 1123 labels joined by `/` */
export function parseServiceId(text: string): ServiceId {
  const labels = text.split('/');
  if (labels.length !== 3 || !labels.every(isLabel)) {
    throw new RangeError(`service id ${JSON.stringify(text)} is not NAMESPACE/APP/SERVICE`);
  }
  return text as ServiceId;
}

/** The parts of a service id, as `serviceId` joined them. */
export function splitServiceId(id: ServiceId): { readonly namespace: string; readonly app: string; readonly service: string } {
  const [namespace = '', app = '', service = ''] = id.split('/');
  return { namespace, app, service };
}

/** What a person sees and a container has as its hostname: `SERVICE-SLOT-ID5` cut to 63; `SERVICE-SLOT` for stateful services. */
export function taskName(service: string, slot: number, id: TaskId, isStateful: boolean): string {
  const tail = isStateful ? `-${String(slot)}` : `-${String(slot)}-${id.slice(0, 5)}`;
  return service.slice(0, 63 - tail.length) + tail;
}
