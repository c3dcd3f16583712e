/** Manifest files, directories and stdin; and the files that manifests name. */
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ContentTable } from '#model/app-schema.ts';
import { ClusterError } from '#model/errors.ts';
import { nearestWord } from '#model/nearest-word.ts';
import { MAX_APPLY_BYTES } from './manifest.ts';
import type { ManifestDocument, ManifestFile } from './manifest.ts';

/** A content is at most this (reliability 10); one byte more is enough to say so. */
const MAX_CONTENT_BYTES = 512 * 1024;

/** The files of `-f`: each as named, the `.yaml` and `.yml` of a directory by name, `-` from `readInput`. @throws ClusterError FAILED_PRECONDITION */
export async function loadManifestFiles(names: readonly string[], readInput: () => Promise<Uint8Array>): Promise<readonly ManifestFile[]> {
  const lists = await Promise.all(names.map(async (name): Promise<readonly ManifestFile[]> => {
    if (name === '-') {
      return [{ name: '-', bytes: await readInput() }];
    }
    const facts = await statOrThrow(name);
    const files = facts.isDirectory() ? await listDirectory(name) : [name];
    return await Promise.all(files.map(async file => ({ name: file, bytes: await readWhole(file) })));
  }));
  return lists.flat();
}

/** What the document's configs and secrets name; paths are relative to the document's file. */
export async function loadContents(document: ManifestDocument, environment: ReadonlyMap<string, string>): Promise<ContentTable> {
  const base = document.file === '-' ? '.' : path.dirname(document.file);
  const entries = await Promise.all(document.sources.map(async source => {
    if (source.kind === 'env') {
      const value = environment.get(source.name);
      return [source.path, value === undefined ? { problem: `variable ${source.name} is not set` } : { content: new TextEncoder().encode(value) }] as const;
    }
    return [source.path, await readContent(path.resolve(base, source.name))] as const;
  }));
  return new Map(entries);
}

async function readContent(file: string): Promise<{ readonly content: Uint8Array } | { readonly problem: string }> {
  try {
    const { size } = await stat(file);
    return size > MAX_CONTENT_BYTES ? { problem: `${file} is ${String(size)} bytes; at most 512 KiB` } : { content: await readFile(file) };
  } catch (error) {
    return { problem: `${file} ${describeCause(error)}` };
  }
}

async function listDirectory(directory: string): Promise<readonly string[]> {
  const names = (await readdir(directory)).filter(name => /\.ya?ml$/.test(name)).toSorted();
  if (names.length === 0) {
    throw new ClusterError('FAILED_PRECONDITION', `${directory} is a directory without a .yaml or .yml file; give the path of a manifest, or of a directory that has one`);
  }
  return names.map(name => path.join(directory, name));
}

async function readWhole(file: string): Promise<Uint8Array> {
  const { size } = await statOrThrow(file);
  if (size > MAX_APPLY_BYTES) {
    throw new ClusterError('INVALID_ARGUMENT', `${file} is ${String(size)} bytes; an apply is at most 8 MiB`);
  }
  return await readFile(file).catch(async (error: unknown) => { throw await explainMissing(file, error); });
}

async function statOrThrow(name: string): ReturnType<typeof stat> {
  try {
    return await stat(name);
  } catch (error) {
    throw await explainMissing(name, error);
  }
}

/** A file that a flag names. @throws ClusterError FAILED_PRECONDITION */
export async function readNamedFile(file: string): Promise<Uint8Array> {
  return await readFile(file).catch((error: unknown) => {
    throw new ClusterError('FAILED_PRECONDITION', `${file} ${describeCause(error)}; give the path of a file that can be read`, { cause: error });
  });
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist', EISDIR: 'is a directory', ENOTDIR: 'does not exist: a part of its path is a file', EACCES: 'may not be read by this user', EPERM: 'may not be read by this user', ELOOP: 'is a link to itself',
};

function describeCause(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return CAUSES[code] ?? `cannot be read (${code})`;
}

/** What is wrong with the path, and the manifest that was probably meant. */
async function explainMissing(name: string, error: unknown): Promise<ClusterError> {
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const beside = isMissing ? await readdir(path.dirname(name)).catch(() => [] /* its directory is not there either */) : [];
  const near = nearestWord(path.basename(name), beside.filter(one => /\.ya?ml$/.test(one)));
  const advice = near === undefined ? 'give the path of a manifest, of a directory of them, or - for stdin' : `did you mean '${path.join(path.dirname(name), near)}'?`;
  return new ClusterError('FAILED_PRECONDITION', `${name} ${describeCause(error)}; ${advice}`, { cause: error });
}
