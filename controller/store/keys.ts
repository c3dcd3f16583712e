/**
 * Every etcd key of Gantry: built here, parsed here, and nowhere else. All live under `/gantry/v1/`.
 *
 * Parts are checked both ways, so that no name can reach into another key.
 */
import { appId, isLabel, parseNodeId, parseTaskId, serviceId, splitServiceId } from '#model/ids.ts';
import type { AppId, NodeId, ServiceId, TaskId } from '#model/ids.ts';
import { isRegistry } from '#model/image-reference.ts';
import { isVolumeName, volumeName } from '#model/volume.ts';
import type { Volume } from '#model/volume.ts';

export type RecordKey =
  | { readonly kind: 'leader' }
  /** ClusterSettings. Each transaction that gives a virtual IP or a node subnet away rewrites and compares it: one at a time. */
  | { readonly kind: 'settings' }
  | { readonly kind: 'controller'; readonly id: string }
  /** There while the mass breaker is open. */
  | { readonly kind: 'mass-breaker' }
  | { readonly kind: 'node'; readonly id: NodeId }
  | { readonly kind: 'ledger'; readonly id: NodeId }
  | { readonly kind: 'session'; readonly id: NodeId }
  /** RemovedNode: outlives the node. */
  | { readonly kind: 'removed-node'; readonly id: NodeId }
  | { readonly kind: 'app'; readonly id: AppId }
  | { readonly kind: 'revision'; readonly app: AppId; readonly number: number }
  | { readonly kind: 'service'; readonly id: ServiceId }
  | { readonly kind: 'service-status'; readonly id: ServiceId }
  | { readonly kind: 'task'; readonly id: TaskId }
  | { readonly kind: 'status'; readonly id: TaskId }
  | { readonly kind: 'blob'; readonly namespace: string; readonly sha256: string }
  | { readonly kind: 'secret'; readonly namespace: string; readonly name: string; readonly version: number }
  /** SecretVersion without content: the newest that the secret had when it was deleted. A later secret of this name gets higher versions. */
  | { readonly kind: 'deleted-secret'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'namespace'; readonly name: string }
  /** `name` as nodes call the volume: NAME, per replica NAME-SLOT. */
  | { readonly kind: 'volume'; readonly namespace: string; readonly name: string; readonly node: NodeId }
  /** `registry` is `host[:port]`. */
  | { readonly kind: 'registry-login'; readonly namespace: string; readonly registry: string }
  | { readonly kind: 'request'; readonly id: string }
  /** PlanRecord of `plan --save`. */
  | { readonly kind: 'plan'; readonly id: string }
  /** `object` as in ClusterEvent: `task/ID`, `service/NS/APP/SVC`, `node/N`, `app/NS/APP`, `cluster`. */
  | { readonly kind: 'event'; readonly object: string; readonly reason: string }
  | { readonly kind: 'token'; readonly hash: string };

export type RecordKind = RecordKey['kind'];

export const ROOT = '/gantry/v1/';

/** How the keys of one kind look after their folder; `parse` is checked by building again. */
interface Shape<Key extends RecordKey> {
  readonly folder: string;
  readonly tail: (key: Key) => string;
  readonly parse: (parts: readonly string[]) => Key;
}

type Shapes = { readonly [Kind in RecordKind]: Shape<Extract<RecordKey, { readonly kind: Kind }>> };

/** What the mirror holds of etcd; the rest (revisions, contents, requests, events, tokens) is read when asked for. */
export const MIRRORED_KINDS: readonly RecordKind[] = [
  'leader', 'controller', 'mass-breaker', 'node', 'ledger', 'session', 'app', 'service', 'service-status', 'task', 'status', 'secret', 'namespace', 'volume',
];

const SHA256_HEX = /^[0-9a-f]{64}$/;
const REQUEST_ID = /^[0-9a-f-]{1,64}$/;
const PLAN_ID = /^[a-z2-7]{12}$/;
const REASON = /^[A-Za-z][A-Za-z0-9-]{0,62}$/;
const OBJECT = /^(?:cluster|task\/[a-z2-7]{12}|node(?:\/[a-z0-9-]{1,63})|app(?:\/[a-z0-9-]{1,63}){2}|service(?:\/[a-z0-9-]{1,63}){3})$/;
/** Digits of a number in a key, so that keys sort as numbers do. */
const NUMBER_DIGITS = 10;
const NUMBER = /^\d{10}$/;

/** All keys of one kind start with it; `leader` and `settings` are keys by themselves. */
export function prefixOf(kind: RecordKind): string {
  return ROOT + SHAPES[kind].folder;
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

/** Prefix of the registry logins of one namespace, or of all. */
export function loginPrefix(namespace: string | undefined): string {
  return namespace === undefined ? prefixOf('registry-login') : `${prefixOf('registry-login')}${checkedLabel(namespace)}/`;
}

/** @throws RangeError when a part is not what its place allows */
export function buildKey(key: RecordKey): string {
  // The shape of a key's kind takes keys of that kind.
  const shape = SHAPES[key.kind] as Shape<RecordKey>;
  return ROOT + shape.folder + shape.tail(key);
}

/** Keys that were parsed lately: a record's key comes again with each change of the record. */
const PARSED = new Map<string, RecordKey | undefined>();
const MOST_PARSED = 10_000;

/** The parts of a key; undefined when `buildKey` cannot have made it. */
export function parseKey(text: string): RecordKey | undefined {
  if (PARSED.has(text)) {
    return PARSED.get(text);
  }
  if (PARSED.size >= MOST_PARSED) PARSED.clear();
  const key = newlyParsed(text);
  PARSED.set(text, key);
  return key;
}

function newlyParsed(text: string): RecordKey | undefined {
  const [first = '', ...parts] = text.startsWith(ROOT) ? text.slice(ROOT.length).split('/') : [];
  const shape = BY_FOLDER.get(first);
  try {
    const key = shape?.parse(parts);
    return key !== undefined && buildKey(key) === text ? key : undefined;
  } catch {
    // A part that does not fit its place: not a key of ours.
    return undefined;
  }
}

const SHAPES: Shapes = {
  leader: { folder: 'leader', tail: () => '', parse: () => ({ kind: 'leader' }) },
  settings: { folder: 'settings', tail: () => '', parse: () => ({ kind: 'settings' }) },
  'mass-breaker': { folder: 'mass-breaker', tail: () => '', parse: () => ({ kind: 'mass-breaker' }) },
  controller: { folder: 'controllers/', tail: key => checkedLabel(key.id), parse: ([id = '']) => ({ kind: 'controller', id }) },
  node: { folder: 'nodes/', tail: key => parseNodeId(key.id), parse: ([id = '']) => ({ kind: 'node', id: parseNodeId(id) }) },
  ledger: { folder: 'ledgers/', tail: key => parseNodeId(key.id), parse: ([id = '']) => ({ kind: 'ledger', id: parseNodeId(id) }) },
  session: { folder: 'sessions/', tail: key => parseNodeId(key.id), parse: ([id = '']) => ({ kind: 'session', id: parseNodeId(id) }) },
  'removed-node': { folder: 'removed/', tail: key => parseNodeId(key.id), parse: ([id = '']) => ({ kind: 'removed-node', id: parseNodeId(id) }) },
  app: { folder: 'apps/', tail: key => checkedPath(key.id, 2), parse: ([namespace = '', app = '']) => ({ kind: 'app', id: appId(namespace, app) }) },
  revision: {
    folder: 'revisions/',
    tail: key => `${checkedPath(key.app, 2)}/${numberText(key.number)}`,
    parse: ([namespace = '', app = '', number = '']) => ({ kind: 'revision', app: appId(namespace, app), number: parseNumber(number) }),
  },
  service: {
    folder: 'services/',
    tail: key => checkedPath(key.id, 3),
    parse: ([namespace = '', app = '', name = '']) => ({ kind: 'service', id: serviceId(namespace, app, name) }),
  },
  'service-status': {
    folder: 'rollouts/',
    tail: key => checkedPath(key.id, 3),
    parse: ([namespace = '', app = '', name = '']) => ({ kind: 'service-status', id: serviceId(namespace, app, name) }),
  },
  task: { folder: 'tasks/', tail: key => parseTaskId(key.id), parse: ([id = '']) => ({ kind: 'task', id: parseTaskId(id) }) },
  status: { folder: 'status/', tail: key => parseTaskId(key.id), parse: ([id = '']) => ({ kind: 'status', id: parseTaskId(id) }) },
  blob: {
    folder: 'blobs/',
    tail: key => `${checkedLabel(key.namespace)}/${checked(key.sha256, SHA256_HEX.test(key.sha256))}`,
    parse: ([namespace = '', sha256 = '']) => ({ kind: 'blob', namespace, sha256 }),
  },
  secret: {
    folder: 'secrets/',
    tail: key => `${checkedLabel(key.namespace)}/${checkedLabel(key.name)}/${numberText(key.version)}`,
    parse: ([namespace = '', name = '', version = '']) => ({ kind: 'secret', namespace, name, version: parseNumber(version) }),
  },
  'deleted-secret': {
    folder: 'deleted-secrets/',
    tail: key => `${checkedLabel(key.namespace)}/${checkedLabel(key.name)}`,
    parse: ([namespace = '', name = '']) => ({ kind: 'deleted-secret', namespace, name }),
  },
  namespace: { folder: 'namespaces/', tail: key => checkedLabel(key.name), parse: ([name = '']) => ({ kind: 'namespace', name }) },
  volume: {
    folder: 'volumes/',
    tail: key => `${checkedLabel(key.namespace)}/${checked(key.name, isVolumeName(key.name))}/${parseNodeId(key.node)}`,
    parse: ([namespace = '', name = '', node = '']) => ({ kind: 'volume', namespace, name, node: parseNodeId(node) }),
  },
  'registry-login': {
    folder: 'logins/',
    tail: key => `${checkedLabel(key.namespace)}/${checked(key.registry, isRegistry(key.registry))}`,
    parse: ([namespace = '', registry = '']) => ({ kind: 'registry-login', namespace, registry }),
  },
  request: { folder: 'requests/', tail: key => checked(key.id, REQUEST_ID.test(key.id)), parse: ([id = '']) => ({ kind: 'request', id }) },
  plan: { folder: 'plans/', tail: key => checked(key.id, PLAN_ID.test(key.id)), parse: ([id = '']) => ({ kind: 'plan', id }) },
  event: {
    folder: 'events/',
    tail: key => `${checked(key.object, OBJECT.test(key.object))}/${checked(key.reason, REASON.test(key.reason))}`,
    parse: parts => ({ kind: 'event', object: parts.slice(0, -1).join('/'), reason: parts.at(-1) ?? '' }),
  },
  token: { folder: 'tokens/', tail: key => checked(key.hash, SHA256_HEX.test(key.hash)), parse: ([hash = '']) => ({ kind: 'token', hash }) },
};
const BY_FOLDER: ReadonlyMap<string, Shapes[RecordKind]> = new Map(Object.values(SHAPES).map((shape: Shapes[RecordKind]) => [shape.folder.replace('/', ''), shape]));

/** Key of a volume's record. */
export function volumeKey(volume: Volume): Extract<RecordKey, { readonly kind: 'volume' }> {
  return { kind: 'volume', namespace: volume.namespace, name: volumeName(volume).slice(volume.namespace.length + 1), node: volume.node };
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
