/** The contexts file: which clusters there are and how to reach each. */
import { ClusterError } from '#model/errors.ts';
import { nearestWord } from '#model/nearest-word.ts';
import { quoted } from '#model/printable.ts';

/** PEM text, or the path of a file that holds it. */
export type PemSource = { readonly kind: 'inline'; readonly pem: string } | { readonly kind: 'file'; readonly path: string };

export interface Context {
  readonly name: string;
  /** `host:port`, tried in this order. */
  readonly controllers: readonly string[];
  readonly ca: PemSource;
  readonly certificate: PemSource;
  readonly key: PemSource;
  readonly namespace?: string;
}

export interface ContextFile {
  readonly current?: string;
  readonly contexts: readonly Context[];
}

export const NO_CONTEXTS: ContextFile = { contexts: [] };

/** Reads what `formatContextFile` wrote. @throws ClusterError INVALID_ARGUMENT naming the place */
export function readContextFile(plain: unknown): ContextFile {
  if (plain === null || plain === undefined) {
    return NO_CONTEXTS;
  }
  const root = requireRecord(plain, 'the contexts file');
  const contexts = requireRecord(root['contexts'] ?? {}, 'contexts');
  const current = root['current'];
  return {
    ...(typeof current === 'string' ? { current } : {}),
    contexts: Object.entries(contexts).map(([name, value]) => readContext(name, requireRecord(value, `contexts.${name}`))),
  };
}

/** The plain form, for YAML. */
export function contextFileToPlain(file: ContextFile): object {
  return {
    ...(file.current === undefined ? {} : { current: file.current }),
    contexts: Object.fromEntries(file.contexts.map(context => [context.name, {
      controllers: context.controllers,
      ...pemToPlain('ca', context.ca), ...pemToPlain('certificate', context.certificate), ...pemToPlain('key', context.key),
      ...(context.namespace === undefined ? {} : { namespace: context.namespace }),
    }])),
  };
}

/** The context by that name, the current one, or the only one. @throws ClusterError NOT_FOUND */
export function chooseContext(file: ContextFile, wanted: string | undefined): Context {
  const [only, another] = file.contexts;
  const name = wanted ?? file.current ?? (another === undefined ? only?.name : undefined);
  if (name === undefined) {
    throw new ClusterError('NOT_FOUND', only === undefined
      ? 'no context is configured; npm start makes one for the local cluster, clusterctl init for a real one'
      : 'no context is chosen; clusterctl context use NAME');
  }
  const context = file.contexts.find(one => one.name === name);
  if (context === undefined) {
    const near = nearestWord(name, file.contexts.map(one => one.name));
    throw new ClusterError('NOT_FOUND', `no context is named ${quoted(name)}${near === undefined ? '; see clusterctl context ls' : `; did you mean '${near}'?`}`);
  }
  return context;
}

/** The file with `context` in the place of any of its name, made current. */
export function withContext(file: ContextFile, context: Context): ContextFile {
  return { current: context.name, contexts: [...file.contexts.filter(one => one.name !== context.name), context] };
}

/** The file without the context of that name; undefined where it has none. */
export function withoutContext(file: ContextFile, name: string): ContextFile | undefined {
  const { current, contexts } = file;
  const kept = contexts.filter(one => one.name !== name);
  return kept.length === contexts.length ? undefined : { ...(current === undefined || current === name ? {} : { current }), contexts: kept };
}

function readContext(name: string, record: Readonly<Record<string, unknown>>): Context {
  const controllers = record['controllers'];
  if (!Array.isArray(controllers) || controllers.length === 0 || !controllers.every(one => typeof one === 'string')) {
    throw new ClusterError('INVALID_ARGUMENT', `contexts.${name}.controllers must be a list of host:port`);
  }
  const namespace = record['namespace'];
  return {
    name,
    controllers,
    ca: readPem(name, 'ca', record),
    certificate: readPem(name, 'certificate', record),
    key: readPem(name, 'key', record),
    ...(typeof namespace === 'string' ? { namespace } : {}),
  };
}

function readPem(context: string, field: string, record: Readonly<Record<string, unknown>>): PemSource {
  const inline = record[field];
  const path = record[`${field}File`];
  if (typeof inline === 'string') {
    return { kind: 'inline', pem: inline };
  }
  if (typeof path === 'string') {
    return { kind: 'file', path };
  }
  throw new ClusterError('INVALID_ARGUMENT', `contexts.${context} needs ${field} or ${field}File`);
}

function pemToPlain(field: string, source: PemSource): object {
  return source.kind === 'inline' ? { [field]: source.pem } : { [`${field}File`]: source.path };
}

function requireRecord(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ClusterError('INVALID_ARGUMENT', `${what} must be a mapping`);
  }
  return value as Readonly<Record<string, unknown>>;
}
