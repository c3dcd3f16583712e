/**
 * Every etcd key of Gantry: built here, parsed here, and nowhere else. All live under `/gantry/v1/`.
 *
 * Parts are checked both ways, so that no name can reach into another key.
 */
import { appId, isLabel, parseNodeId, parseTaskId, serviceId, splitServiceId } from '#model/ids.ts';
import type { AppId, NodeId, ServiceId, TaskId } from '#model/ids.ts';

export type RecordKey =
  | { readonly kind: 'leader' }
  /** ClusterSettings. Each transaction that gives a virtual IP or a node subnet away rewrites and compares it: one at a time. */
  | { readonly kind: 'settings' }
  | { readonly kind: 'controller'; readonly id: string }
  | { readonly kind: 'node' | 'ledger' | 'session'; readonly id: NodeId }
  | { readonly kind: 'app'; readonly id: AppId }
  | { readonly kind: 'revision'; readonly app: AppId; readonly number: number }
  | { readonly kind: 'service' | 'service-status'; readonly id: ServiceId }
  | { readonly kind: 'task' | 'status'; readonly id: TaskId }
  | { readonly kind: 'blob'; readonly namespace: string; readonly sha256: string }
  | { readonly kind: 'secret'; readonly namespace: string; readonly name: string; readonly version: number }
  | { readonly kind: 'request'; readonly id: string }
  /** `object` as in ClusterEvent: `task/ID`, `service/NS/APP/SVC`, `node/N`, `app/NS/APP`, `cluster`. */
  | { readonly kind: 'event'; readonly object: string; readonly reason: string }
  | { readonly kind: 'token'; readonly hash: string };

export type RecordKind = RecordKey['kind'];

export const ROOT = '/gantry/v1/';

const FOLDERS: Readonly<Record<RecordKind, string>> = {
  leader: 'leader', settings: 'settings', controller: 'controllers', node: 'nodes', ledger: 'ledgers', session: 'sessions', app: 'apps', revision: 'revisions',
  service: 'services', 'service-status': 'rollouts', task: 'tasks', status: 'status', blob: 'blobs', secret: 'secrets', request: 'requests',
  event: 'events', token: 'tokens',
};
const KINDS: ReadonlyMap<string, RecordKind> = new Map(Object.entries(FOLDERS).map(([kind, folder]) => [folder, kind as RecordKind]));

/** What the mirror holds of etcd; the rest (revisions, contents, requests, events, tokens) is read when asked for. */
export const MIRRORED_KINDS: readonly RecordKind[] = [
  'leader', 'controller', 'node', 'ledger', 'session', 'app', 'service', 'service-status', 'task', 'status', 'secret',
];

const SHA256_HEX = /^[0-9a-f]{64}$/;
const REQUEST_ID = /^[0-9a-f-]{1,64}$/;
const REASON = /^[A-Za-z][A-Za-z0-9-]{0,62}$/;
const OBJECT = /^(?:cluster|task\/[a-z2-7]{12}|node(?:\/[a-z0-9-]{1,63})|app(?:\/[a-z0-9-]{1,63}){2}|service(?:\/[a-z0-9-]{1,63}){3})$/;
/** Digits of a number in a key, so that keys sort as numbers do. */
const NUMBER_DIGITS = 10;
const NUMBER = /^\d{10}$/;

/** All keys of one kind start with it; `leader` and `settings` are keys by themselves. */
export function prefixOf(kind: RecordKind): string {
  return kind === 'leader' || kind === 'settings' ? `${ROOT}${FOLDERS[kind]}` : `${ROOT}${FOLDERS[kind]}/`;
}

/** Prefix of the revisions of one App, oldest first. */
export function revisionPrefix(app: AppId): string {
  return `${prefixOf('revision')}${checkedPath(app, 2)}/`;
}

/** Prefix of the events of one object. */
export function eventPrefix(object: string): string {
  return `${prefixOf('event')}${checked(object, OBJECT.test(object))}/`;
}

/** Prefix of the versions of one secret. */
export function secretPrefix(namespace: string, name: string): string {
  return `${prefixOf('secret')}${checkedLabel(namespace)}/${checkedLabel(name)}/`;
}

/** @throws RangeError when a part is not what its place allows */
export function buildKey(key: RecordKey): string {
  return key.kind === 'leader' || key.kind === 'settings' ? prefixOf(key.kind) : prefixOf(key.kind) + tailOf(key);
}

function tailOf(key: Exclude<RecordKey, { kind: 'leader' | 'settings' }>): string {
  switch (key.kind) {
    case 'controller': return checkedLabel(key.id);
    case 'node': case 'ledger': case 'session': return parseNodeId(key.id);
    case 'app': return checkedPath(key.id, 2);
    case 'revision': return `${checkedPath(key.app, 2)}/${numberText(key.number)}`;
    case 'service': case 'service-status': return checkedPath(key.id, 3);
    case 'task': case 'status': return parseTaskId(key.id);
    case 'blob': return `${checkedLabel(key.namespace)}/${checked(key.sha256, SHA256_HEX.test(key.sha256))}`;
    case 'secret': return `${checkedLabel(key.namespace)}/${checkedLabel(key.name)}/${numberText(key.version)}`;
    case 'request': return checked(key.id, REQUEST_ID.test(key.id));
    case 'event': return `${checked(key.object, OBJECT.test(key.object))}/${checked(key.reason, REASON.test(key.reason))}`;
    case 'token': return checked(key.hash, SHA256_HEX.test(key.hash));
  }
}

/** The parts of a key; undefined when `buildKey` cannot have made it. */
export function parseKey(text: string): RecordKey | undefined {
  if (text === prefixOf('leader') || text === prefixOf('settings')) {
    return { kind: text === prefixOf('leader') ? 'leader' : 'settings' };
  }
  const [folder = '', ...parts] = text.startsWith(ROOT) ? text.slice(ROOT.length).split('/') : [];
  const kind = KINDS.get(folder);
  const key = kind === undefined ? undefined : partsToKey(kind, parts);
  try {
    return key !== undefined && buildKey(key) === text ? key : undefined;
  } catch {
    // A part that does not fit its place: not a key of ours.
    return undefined;
  }
}

function partsToKey(kind: RecordKind, parts: readonly string[]): RecordKey {
  const [first = '', second = '', third = ''] = parts;
  switch (kind) {
    case 'leader': case 'settings': return { kind };
    case 'controller': case 'request': return { kind, id: first };
    case 'node': case 'ledger': case 'session': return { kind, id: first as NodeId };
    case 'app': return { kind, id: appId(first, second) };
    case 'revision': return { kind, app: appId(first, second), number: parseNumber(third) };
    case 'service': case 'service-status': return { kind, id: serviceId(first, second, third) };
    case 'task': case 'status': return { kind, id: first as TaskId };
    case 'blob': return { kind, namespace: first, sha256: second };
    case 'secret': return { kind, namespace: first, name: second, version: parseNumber(third) };
    case 'event': return { kind, object: parts.slice(0, -1).join('/'), reason: parts.at(-1) ?? '' };
    case 'token': return { kind, hash: first };
  }
}

/** App of a service. */
export function appOfService(id: ServiceId): AppId {
  const { namespace, app } = splitServiceId(id);
  return appId(namespace, app);
}

function numberText(value: number): string {
  return checked(String(value).padStart(NUMBER_DIGITS, '0'), Number.isSafeInteger(value) && value >= 0 && value < 10 ** NUMBER_DIGITS);
}

function parseNumber(text: string): number {
  return NUMBER.test(text) ? Number(text) : Number.NaN;
}

function checkedPath(path: string, depth: number): string {
  const parts = path.split('/');
  return checked(path, parts.length === depth && parts.every(isLabel));
}

function checkedLabel(text: string): string {
  return checked(text, isLabel(text));
}

function checked(text: string, isAllowed: boolean): string {
  if (!isAllowed) {
    throw new RangeError(`${JSON.stringify(text)} cannot be part of a key`);
  }
  return text;
}
