/**
 * A raw manifest document -> AppSpec with every default filled in, or everything that is wrong with it.
 *
 * Shape is read here and in the `*-schema.ts` files; meaning is `app-rules.ts`, the same for a typed message.
 */
import type { AppSpec, ConfigSpec, SecretSpec, VolumeSpec } from './app.ts';
import { checkAppName, checkAppSpec } from './app-rules.ts';
import type { Violation } from './errors.ts';
import { parseMemory } from './quantity.ts';
import { describeKind, isRawList, isRawMap, walkPaths } from './raw-value.ts';
import type { RawValue } from './raw-value.ts';
import { SchemaField } from './schema-field.ts';
import type { KeyTable } from './schema-field.ts';
import { readService } from './service-schema.ts';

export const API_VERSION = 'gantry/v1';
const LATER_KINDS = ['Namespace', 'Quota', 'Role', 'RoleBinding', 'Route', 'Policy'];

const APP_KEYS: KeyTable = { known: ['apiVersion', 'kind', 'metadata', 'services', 'configs', 'secrets', 'volumes'] };
const METADATA_KEYS: KeyTable = { known: ['name', 'namespace'] };
const CONFIG_KEYS: KeyTable = { known: ['file', 'content'] };
const SECRET_KEYS: KeyTable = { known: ['external', 'file', 'env'] };
const VOLUME_KEYS: KeyTable = { known: ['size', 'per_replica', 'access'] };

/** Where a config's or a secret's content comes from; the CLI reads it, since files and its environment are there. */
export interface ContentSource {
  readonly path: string;
  readonly kind: 'file' | 'env';
  readonly name: string;
}

/** Content by the `path` of its source, or why it could not be read. */
export type ContentTable = ReadonlyMap<string, { readonly content: Uint8Array } | { readonly problem: string }>;

export interface AppContext {
  /** For a document that names no namespace. */
  readonly defaultNamespace: string;
  readonly contents: ContentTable;
}

export type ReadApp =
  | { readonly kind: 'app'; readonly app: AppSpec }
  /** At least one, in document order. */
  | { readonly kind: 'violations'; readonly violations: readonly Violation[] };

/** The files and variables that a document's configs and secrets name. */
export function contentSources(raw: RawValue): readonly ContentSource[] {
  const root = new SchemaField(raw, []);
  const sourcesIn = (section: string, kind: ContentSource['kind']): readonly ContentSource[] => root.at(section).entries().flatMap(([, declaration]) => {
    const { path, value } = declaration.at(kind);
    return typeof value === 'string' ? [{ path, kind, name: value }] : [];
  });
  return [...sourcesIn('configs', 'file'), ...sourcesIn('secrets', 'file'), ...sourcesIn('secrets', 'env')];
}

export function readApp(raw: RawValue, context: AppContext): ReadApp {
  const shape: Violation[] = [];
  if (!isRawMap(raw)) {
    return { kind: 'violations', violations: [{ path: '', message: `a document is a mapping with apiVersion, kind, metadata; got ${describeKind(raw)}` }] };
  }
  const root = new SchemaField(raw, shape);
  checkEnvelope(root);
  if (shape.some(violation => violation.path === 'kind')) {
    return { kind: 'violations', violations: shape };
  }
  root.checkKeys(APP_KEYS);
  const app = readAppBody(root, context);
  const meaning = checkAppSpec(app)
    .map(violation => ({ ...violation, path: snapPath(raw, violation.path) }))
    .filter(violation => !shape.some(known => isInside(violation.path, known.path)));
  const violations = inDocumentOrder(raw, [...shape, ...meaning]);
  return violations.length === 0 ? { kind: 'app', app } : { kind: 'violations', violations };
}

export type ReadAppName =
  | { readonly kind: 'name'; readonly app: AppName }
  | { readonly kind: 'violations'; readonly violations: readonly Violation[] };

export type AppName = Pick<AppSpec, 'namespace' | 'name'>;

/** Which App a document declares, whatever else is in it: enough to delete it. */
export function readAppName(raw: RawValue, defaultNamespace: string): ReadAppName {
  const violations: Violation[] = [];
  if (!isRawMap(raw)) {
    return { kind: 'violations', violations: [{ path: '', message: `a document is a mapping with apiVersion, kind, metadata; got ${describeKind(raw)}` }] };
  }
  const root = new SchemaField(raw, violations);
  checkEnvelope(root);
  const app = violations.length > 0 ? { namespace: '', name: '' } : readMetadata(root, defaultNamespace);
  const meaning = violations.length > 0 ? [] : checkAppName(app);
  const all = [...violations, ...meaning];
  return all.length === 0 ? { kind: 'name', app } : { kind: 'violations', violations: all };
}

/** `path`, or the scalar above it where a short form stands for the whole: `volumes[0]` for `volumes[0].target`. */
export function snapPath(raw: RawValue, path: string): string {
  for (const { path: candidate, value } of walkPaths(raw)) {
    const isScalar = !isRawMap(value) && !isRawList(value);
    if (isScalar && candidate !== '' && path !== candidate && isInside(path, candidate)) {
      return candidate;
    }
  }
  return path;
}

function checkEnvelope(root: SchemaField): void {
  const version = root.at('apiVersion');
  if (!version.isPresent) {
    version.complain(`required; write apiVersion: ${API_VERSION}`);
  }
  if ((version.text() ?? API_VERSION) !== API_VERSION) {
    version.complain(`must be ${API_VERSION}`);
  }
  const kind = root.at('kind');
  if (!kind.isPresent) {
    kind.complain('required; write kind: App');
    return;
  }
  kind.choice({ words: ['App'], later: LATER_KINDS }, 'App');
}

function readAppBody(root: SchemaField, context: AppContext): AppSpec {
  const name = readMetadata(root, context.defaultNamespace);
  const services = root.at('services');
  const byName = <T extends { readonly name: string }>(items: readonly T[]): readonly T[] => items.toSorted((left, right) => (left.name < right.name ? -1 : 1));
  return {
    ...name,
    services: byName(services.entries().map(([name, field]) => readService(name, field))),
    configs: byName(root.at('configs').entries().map(([name, field]) => readConfig(name, field, context.contents))),
    secrets: byName(root.at('secrets').entries().map(([name, field]) => readSecret(name, field, context.contents))),
    volumes: byName(root.at('volumes').entries().map(([name, field]) => readVolume(name, field))),
  };
}

function readMetadata(root: SchemaField, defaultNamespace: string): AppName {
  const metadata = root.at('metadata');
  metadata.checkKeys(METADATA_KEYS);
  return { namespace: metadata.at('namespace').text() ?? defaultNamespace, name: metadata.at('name').requiredText() };
}

function readConfig(name: string, field: SchemaField, contents: ContentTable): ConfigSpec {
  field.checkKeys(CONFIG_KEYS);
  const file = field.at('file');
  const content = field.at('content');
  if (file.isPresent === content.isPresent) {
    field.complain('needs one of file and content');
  }
  return { name, content: file.isPresent ? readContent(file, contents) : new TextEncoder().encode(content.text() ?? '') };
}

function readSecret(name: string, field: SchemaField, contents: ContentTable): SecretSpec {
  field.checkKeys(SECRET_KEYS);
  const sources = [field.at('file'), field.at('env')].filter(source => source.isPresent);
  const isExternal = field.at('external').boolean(false);
  if (sources.length + Number(isExternal) !== 1) {
    field.complain('needs one of external: true, file and env');
  }
  const [source] = sources;
  return isExternal || source === undefined ? { name, kind: 'external' } : { name, kind: 'content', content: readContent(source, contents) };
}

function readContent(source: SchemaField, contents: ContentTable): Uint8Array {
  const empty = new Uint8Array();
  if (source.text() === undefined) {
    return empty;
  }
  const found = contents.get(source.path);
  if (found === undefined) {
    throw new Error(`content of ${source.path} was not read`);
  }
  if ('problem' in found) {
    source.complain(found.problem);
    return empty;
  }
  return found.content;
}

function readVolume(name: string, field: SchemaField): VolumeSpec {
  if (isNull(field.value)) {
    return { name, perReplica: false };
  }
  field.checkKeys(VOLUME_KEYS);
  field.at('access').choice({ words: ['local'], later: ['shared'] }, 'local');
  const sizeBytes = field.at('size').parsed(parseMemory);
  return { name, perReplica: field.at('per_replica').boolean(false), ...(sizeBytes === undefined ? {} : { sizeBytes }) };
}

function isNull(value: RawValue | undefined): boolean {
  return typeof value === 'object' && 'text' in value && value.value === null;
}

function isInside(path: string, parent: string): boolean {
  return path === parent || path.startsWith(`${parent}.`) || path.startsWith(`${parent}[`);
}

/** Sorted by where the path stands in the document; a missing key stands where its mapping begins. */
function inDocumentOrder(raw: RawValue, violations: readonly Violation[]): readonly Violation[] {
  const orders = new Map<string, number>();
  for (const { path } of walkPaths(raw)) {
    orders.set(path, orders.size);
  }
  const orderOf = ({ path, key }: Violation): number => {
    const exact = key === undefined ? undefined : orders.get(path === '' ? key : `${path}.${key}`);
    for (let parent = path; exact === undefined; parent = parent.replace(/(?:\.|^)[^.[]*$|\[\d+\]$/, '')) {
      const order = orders.get(parent);
      if (order !== undefined) {
        return order;
      }
    }
    return exact;
  };
  return violations
    .map(violation => ({ violation, order: orderOf(violation) }))
    .toSorted((left, right) => left.order - right.order)
    .map(({ violation }) => violation);
}
