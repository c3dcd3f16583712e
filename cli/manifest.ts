/** Manifest files -> Apps, or every problem with its file, line and column. Pure: files and variables come in as values. */
import { isScalar, LineCounter, parseAllDocuments } from 'yaml';
import type { Document } from 'yaml';
import { contentSources, readApp, readAppName, snapPath } from '#model/app-schema.ts';
import type { AppName, ContentSource, ContentTable } from '#model/app-schema.ts';
import type { AppSpec } from '#model/app.ts';
import type { Violation } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';
import type { RawValue } from '#model/raw-value.ts';
import type { ManifestProblem } from './manifest-problem.ts';
import type { Variables } from './variables.ts';
import { MAX_ALIASES, MAX_DEPTH, scanTokens } from './yaml-scan.ts';
import { buildTree } from './yaml-tree.ts';

export interface ManifestFile {
  /** As the person named it; `-` is stdin. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** One document, read but not understood yet. */
export interface ManifestDocument {
  readonly file: string;
  readonly raw: RawValue;
  readonly sources: readonly ContentSource[];
  /** The problem at a path of this document. */
  locate(violation: Violation): ManifestProblem;
}

export interface ParsedManifests {
  readonly documents: readonly ManifestDocument[];
  readonly problems: readonly ManifestProblem[];
}

export interface ManifestApp {
  readonly app: AppSpec;
  readonly document: ManifestDocument;
}

/** Path of a problem that does not concern which App a document declares; `[N].` counts documents. */
const IN_A_BODY = /^(?:\[\d+\]\.)?(?:services|configs|secrets|volumes)(?:[.[]|$)/;
const MAX_DOCUMENT_BYTES = 1024 * 1024;
export const MAX_APPLY_BYTES = 8 * 1024 * 1024;
/** Each App is a transaction of its own: this many land within half a minute on a small machine. */
export const MAX_APPLY_DOCUMENTS = 500;

/** The documents of all files, in the order given. A document with a syntax error is left out and complained about. */
export function parseManifests(files: readonly ManifestFile[], variables: Variables): ParsedManifests {
  const totalBytes = files.reduce((sum, file) => sum + file.bytes.byteLength, 0);
  if (totalBytes > MAX_APPLY_BYTES) {
    const file = files[0]?.name ?? '';
    return { documents: [], problems: [{ file, line: 1, column: 1, path: '(document)', message: `the manifests are ${String(totalBytes)} bytes; an apply is at most 8 MiB` }] };
  }
  const parsed = files.map(file => parseFile(file, variables));
  const count = parsed.reduce((sum, one) => sum + one.documents.length, 0);
  if (count > MAX_APPLY_DOCUMENTS) {
    const file = files[0]?.name ?? '';
    return { documents: [], problems: [{ file, line: 1, column: 1, path: '(document)', message: `the manifests hold ${String(count)} documents; an apply is at most ${String(MAX_APPLY_DOCUMENTS)}, split it` }] };
  }
  return { documents: parsed.flatMap(one => one.documents), problems: parsed.flatMap(one => one.problems) };
}

/** The Apps of the documents; `contents` holds what `contentsOf` each document asked for. */
export function readManifests(
  parsed: ParsedManifests, defaultNamespace: string, contentsOf: (document: ManifestDocument) => ContentTable,
): { readonly apps: readonly ManifestApp[]; readonly problems: readonly ManifestProblem[] } {
  const apps: ManifestApp[] = [];
  const problems = [...parsed.problems];
  const firstPlaces = new Map<string, ManifestProblem>();
  for (const document of parsed.documents) {
    const read = readApp(document.raw, { defaultNamespace, contents: contentsOf(document) });
    if (read.kind === 'violations') {
      problems.push(...read.violations.map(violation => document.locate(violation)));
      continue;
    }
    const name = document.locate({ path: 'metadata.name', message: '' });
    const key = `${read.app.namespace}/${read.app.name}`;
    const first = firstPlaces.get(key);
    if (first === undefined) {
      firstPlaces.set(key, name);
      apps.push({ app: read.app, document });
    } else {
      problems.push({ ...name, message: `App ${quoted(read.app.name)} is already declared at ${first.file}:${String(first.line)}` });
    }
  }
  return { apps, problems: inFileOrder(problems) };
}

/**
 * The Apps that the documents declare, by name alone: problems of services and contents, and variables
 * that are not set there, do not matter.
 */
export function readAppNames(parsed: ParsedManifests, defaultNamespace: string): { readonly apps: readonly AppName[]; readonly problems: readonly ManifestProblem[] } {
  const problems = parsed.problems.filter(({ path }) => !IN_A_BODY.test(path));
  const apps = new Map<string, AppName>();
  for (const document of parsed.documents) {
    const read = readAppName(document.raw, defaultNamespace);
    if (read.kind === 'violations') {
      problems.push(...read.violations.map(violation => document.locate(violation)));
    } else {
      apps.set(`${read.app.namespace}/${read.app.name}`, read.app);
    }
  }
  return { apps: [...apps.values()], problems: inFileOrder(problems) };
}

/** By file as they first appear, then by line and column. */
function inFileOrder(problems: readonly ManifestProblem[]): readonly ManifestProblem[] {
  const files = [...new Set(problems.map(problem => problem.file))];
  return problems.toSorted((left, right) => files.indexOf(left.file) - files.indexOf(right.file) || left.line - right.line || left.column - right.column);
}

function parseFile(file: ManifestFile, variables: Variables): ParsedManifests {
  const problemAt = (path: string, message: string): ParsedManifests => (
    { documents: [], problems: [{ file: file.name, line: 1, column: 1, path, message }] });
  const text = decodeUtf8(file.bytes);
  if (typeof text === 'number') {
    return problemAt('(encoding)', `not valid UTF-8 at byte ${String(text)}; a manifest is YAML text`);
  }
  if (text.split(/^---(?=\s|$)/m).some(part => part.length > MAX_DOCUMENT_BYTES)) {
    return problemAt('(document)', 'a document is at most 1 MiB');
  }
  const limit = scanTokens(text);
  if (limit !== undefined) {
    return problemAt('(document)', limit === 'too-deep' ? `nesting deeper than ${String(MAX_DEPTH)}` : `too many aliases (limit ${String(MAX_ALIASES)})`);
  }
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { schema: 'failsafe', uniqueKeys: false, keepSourceTokens: false, prettyErrors: false, lineCounter: lines, logLevel: 'silent' });
  const isSingle = !Array.isArray(documents) || documents.length < 2;
  if (!Array.isArray(documents) || documents.every(document => isEmpty(document))) {
    return problemAt('(document)', 'the manifest is empty; it needs apiVersion, kind: App, metadata and services');
  }
  const parsed = documents.map((document, index) => readDocument(document as Document, { file: file.name, lines, prefix: isSingle ? '' : `[${String(index)}]` }, variables));
  return { documents: parsed.flatMap(one => one.documents), problems: parsed.flatMap(one => one.problems) };
}

interface Place {
  readonly file: string;
  readonly lines: LineCounter;
  /** `[N]`, or nothing in a file of one document. */
  readonly prefix: string;
}

function readDocument(document: Document, place: Place, variables: Variables): ParsedManifests {
  if (document.errors.length > 0) {
    return { documents: [], problems: document.errors.map(error => toProblem(place, '(syntax)', error.pos[0], describeSyntaxError(error.code, error.message))) };
  }
  if (isEmpty(document)) {
    return { documents: [], problems: [] };
  }
  const tree = buildTree(document, variables, offset => place.lines.linePos(offset).line);
  const problems = tree.problems.map(problem => toProblem(place, problem.path, problem.offset, problem.message));
  if (problems.some(problem => problem.path.endsWith('(document)'))) {
    return { documents: [], problems };
  }
  const locate = (violation: Violation): ManifestProblem => {
    const path = snapPath(tree.raw, violation.path);
    const keyPath = violation.key === undefined ? path : `${path}.${violation.key}`;
    return toProblem(place, path, findOffset(tree.places, keyPath), violation.message);
  };
  return { documents: [{ file: place.file, raw: tree.raw, sources: contentSources(tree.raw), locate }], problems };
}

/** Nothing but comments. */
function isEmpty({ contents, errors }: Document): boolean {
  return errors.length === 0 && (contents === null || (isScalar(contents) && contents.source === ''));
}

/** Of the path, or of the nearest one above it that is written. */
function findOffset(places: ReadonlyMap<string, number>, path: string): number {
  for (let parent = path; parent !== ''; parent = parent.replace(/(?:\.|^)[^.[]*$|\[\d+\]$/, '')) {
    const offset = places.get(parent);
    if (offset !== undefined) {
      return offset;
    }
  }
  return places.get('') ?? 0;
}

function toProblem({ file, lines, prefix }: Place, path: string, offset: number, message: string): ManifestProblem {
  const { line, col } = lines.linePos(offset);
  const shown = path === '' ? '(document)' : path;
  return { file, line, column: col, path: prefix === '' ? shown : `${prefix}.${shown}`, message };
}

function describeSyntaxError(code: string, message: string): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'tab characters cannot indent; use spaces';
    case 'MISSING_CHAR':
      return `${message}; a string or bracket is never closed`;
    default:
      return message.replace(/\.$/, '');
  }
}

/** The text without a byte order mark, or the offset of the first byte that is not UTF-8. */
function decodeUtf8(bytes: Uint8Array): string | number {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // The decoder says only that it failed; the place is found by halving.
    return firstBadByte(bytes);
  }
}

function firstBadByte(bytes: Uint8Array): number {
  let good = 0;
  let bad = bytes.byteLength + 1;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (isUtf8Start(bytes.subarray(0, middle))) {
      good = middle;
    } else {
      bad = middle;
    }
  }
  return Math.min(good, bytes.byteLength);
}

/** True when the bytes are UTF-8, whole or cut inside a character. */
function isUtf8Start(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    // Not UTF-8: the answer, not a failure.
    return false;
  }
}
