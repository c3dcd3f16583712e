/**
 * Parses manifests, indexes and configs of images: bytes -> what to fetch, or the reason why not.
 * Source: OCI image-spec, manifest.md, image-index.md, config.md, descriptor.md; Docker image
 * manifest V2, schema 2
 */
import path from 'node:path';
import { isDigest } from '#model/digest.ts';
import type { Digest } from '#model/digest.ts';
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';
import type { ImageConfig } from '#model/node-images.ts';
import { htmlHint } from '#registry/html-hint-rules.ts';
import { formatPlatform } from './platform.ts';
import type { Platform } from './platform.ts';

export type Compression = 'gzip' | 'zstd' | 'none';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
}

export interface LayerDescriptor extends Descriptor {
  readonly compression: Compression;
}

export type Manifest =
  /** Layers, lowest first. */
  | { readonly kind: 'image'; readonly config: Descriptor; readonly layers: readonly LayerDescriptor[] }
  | { readonly kind: 'index'; readonly entries: readonly IndexEntry[] };

export interface IndexEntry extends Descriptor {
  readonly platform?: Platform;
}

const OCI = 'application/vnd.oci.image.';
const DOCKER = 'application/vnd.docker.';
const IMAGE_TYPES = new Set([`${OCI}manifest.v1+json`, `${DOCKER}distribution.manifest.v2+json`]);
const INDEX_TYPES = new Set([`${OCI}index.v1+json`, `${DOCKER}distribution.manifest.list.v2+json`]);
const LAYER_TYPES: Readonly<Record<string, Compression>> = {
  [`${OCI}layer.v1.tar`]: 'none',
  [`${OCI}layer.v1.tar+gzip`]: 'gzip',
  [`${OCI}layer.v1.tar+zstd`]: 'zstd',
  [`${DOCKER}image.rootfs.diff.tar`]: 'none',
  [`${DOCKER}image.rootfs.diff.tar.gzip`]: 'gzip',
  [`${DOCKER}image.rootfs.diff.tar.zstd`]: 'zstd',
};
/** Source: README.md, "Limits" */
const MAX_INDEX_ENTRIES = 1000;
const MAX_LAYERS = 127;
const MAX_CONFIG_BYTES = 4 * 2 ** 20;
/** Maximum of compressed bytes that the descriptor of a layer may announce. */
const MAX_BLOB_BYTES = 2 ** 40;
const MAX_ID = 2_147_483_647;

/**
 * @param contentType  from the registry; the body must agree (CVE-2021-41190). @throws ClusterError
 * FAILED_PRECONDITION
 */
export function parseManifest(bytes: Uint8Array, contentType: string): Manifest {
  const body = parseObject(bytes, 'manifest');
  const mediaType = body['mediaType'] ?? contentType;
  if (typeof mediaType !== 'string' || (contentType !== '' && mediaType !== contentType)) {
    throw refusal(`mediaType ${shown(mediaType)} does not match Content-Type ${quoted(contentType)}`);
  }
  if (body['schemaVersion'] !== 2) {
    throw refusal(`manifest schemaVersion ${shown(body['schemaVersion'])} is not supported, only 2`);
  }
  if (body['manifests'] !== undefined && (body['layers'] !== undefined || body['config'] !== undefined)) {
    throw refusal('manifest has both manifests and layers');
  }
  if (INDEX_TYPES.has(mediaType)) {
    return parseIndex(body);
  }
  if (!IMAGE_TYPES.has(mediaType)) {
    throw refusal(`unsupported manifest media type ${shown(mediaType)}`);
  }
  return parseImage(body);
}

export interface ParsedConfig {
  readonly config: ImageConfig;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly Digest[];
}

/**
 * Reads the used fields of an image config. @throws ClusterError FAILED_PRECONDITION for another
 * platform, a different number of layers, an unsafe user or directory
 */
export function parseConfig(bytes: Uint8Array, layerCount: number, platform: Platform): ParsedConfig {
  const body = parseObject(bytes, 'image config');
  if (body['os'] !== platform.os || body['architecture'] !== platform.architecture) {
    throw refusal(`the image is for ${shown(body['os'])}/${shown(body['architecture'])}, the node is ${formatPlatform(platform)}`);
  }
  const rootfs = requireObject(body['rootfs'], 'image config rootfs');
  const diffIds = requireList(rootfs['diff_ids'] ?? [], 'image config rootfs.diff_ids').map((value, index) => {
    if (typeof value !== 'string' || !isDigest(value)) throw refusal(`invalid digest in rootfs.diff_ids[${String(index)}]`);
    return value;
  });
  if (diffIds.length !== layerCount) {
    throw refusal(`the image has ${String(layerCount)} layers but ${String(diffIds.length)} diff_ids`);
  }
  return { config: parseRun(requireObject(body['config'] ?? {}, 'image config')), diffIds };
}

function parseRun(run: Readonly<Record<string, unknown>>): ImageConfig {
  return {
    user: checkedUser(textOf(run['User'], 'User')),
    // An entry without a name has no meaning for a process and is dropped.
    environment: textsOf(run['Env'], 'Env').filter(entry => entry.indexOf('=') > 0),
    entrypoint: textsOf(run['Entrypoint'], 'Entrypoint'),
    command: textsOf(run['Cmd'], 'Cmd'),
    workingDir: checkedDirectory(textOf(run['WorkingDir'], 'WorkingDir')),
    stopSignal: textOf(run['StopSignal'], 'StopSignal'),
  };
}

/**
 * A part that looks like a number must be one: a too large number would be looked up as a name
 * (CVE-2024-40635).
 */
function checkedUser(user: string): string {
  const parts = user.split(':');
  const isGood = (part: string): boolean => /^\d+$/.test(part) ? Number(part) <= MAX_ID : /^[A-Za-z_][A-Za-z0-9_.-]*\$?$/.test(part);
  if (parts.length > 2 || !parts.every(part => part === '' || isGood(part))) {
    throw refusal(`invalid user in image config: ${quoted(user)} is not a 31-bit number or a name`);
  }
  return user;
}

/** Below /proc a process would start in a directory of the host (CVE-2024-21626). */
function checkedDirectory(directory: string): string {
  if (directory === '') {
    return '/';
  }
  const clean = path.posix.normalize(directory);
  if (!directory.startsWith('/') || directory.split('/').includes('..')) {
    throw refusal(`working directory ${quoted(directory)} of the image is not an absolute path without ..`);
  }
  if (clean === '/proc' || clean.startsWith('/proc/')) {
    throw refusal(`working directory ${quoted(directory)} under /proc is refused`);
  }
  return clean;
}

function parseIndex(body: Readonly<Record<string, unknown>>): Manifest {
  const entries = requireList(body['manifests'], 'manifests');
  if (entries.length > MAX_INDEX_ENTRIES) {
    throw refusal(`index of ${String(entries.length)} entries, over ${String(MAX_INDEX_ENTRIES)}`);
  }
  return {
    kind: 'index',
    entries: entries.map((value, index) => {
      const entry = requireObject(value, `manifests[${String(index)}]`);
      const platform = entry['platform'] === undefined ? undefined : requireObject(entry['platform'], `manifests[${String(index)}].platform`);
      return {
        ...parseDescriptor(entry, `manifests[${String(index)}]`, MAX_CONFIG_BYTES),
        ...(platform === undefined ? {} : { platform: parsePlatform(platform, `manifests[${String(index)}].platform`) }),
      };
    }),
  };
}

function parsePlatform(platform: Readonly<Record<string, unknown>>, where: string): Platform {
  const variant = textOf(platform['variant'], `${where}.variant`);
  return { os: textOf(platform['os'], `${where}.os`), architecture: textOf(platform['architecture'], `${where}.architecture`), ...(variant === '' ? {} : { variant }) };
}

function parseImage(body: Readonly<Record<string, unknown>>): Manifest {
  const config = parseDescriptor(requireObject(body['config'], 'manifest config'), 'config', MAX_CONFIG_BYTES);
  const layers = requireList(body['layers'], 'manifest layers').map((value, index) => parseLayer(value, `layers[${String(index)}]`));
  if (layers.length > MAX_LAYERS) {
    throw refusal(`image of ${String(layers.length)} layers, over ${String(MAX_LAYERS)}`);
  }
  return { kind: 'image', config, layers };
}

function parseLayer(value: unknown, where: string): LayerDescriptor {
  const layer = requireObject(value, where);
  const mediaType = textOf(layer['mediaType'], `${where}.mediaType`);
  if (layer['urls'] !== undefined || mediaType.includes('foreign') || mediaType.includes('nondistributable')) {
    throw refusal(`foreign layers are not fetched: ${where}`);
  }
  const compression = Object.hasOwn(LAYER_TYPES, mediaType) ? LAYER_TYPES[mediaType] : undefined;
  if (compression === undefined) {
    throw refusal(`unsupported layer media type ${quoted(mediaType)} in ${where}`);
  }
  return { ...parseDescriptor(layer, where, MAX_BLOB_BYTES), compression };
}

function parseDescriptor(body: Readonly<Record<string, unknown>>, where: string, maxBytes: number): Descriptor {
  const { digest, size, mediaType } = body;
  if (typeof digest !== 'string' || !isDigest(digest)) {
    throw refusal(`invalid digest in ${where}`);
  }
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > maxBytes) {
    throw refusal(`invalid size in ${where}: ${shown(size)}; a size is a whole number of bytes from 0 to ${String(maxBytes)}`);
  }
  return { digest, sizeBytes: size, mediaType: textOf(mediaType, `${where}.mediaType`) };
}

function parseObject(bytes: Uint8Array, what: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ClusterError('FAILED_PRECONDITION', `${what} is not JSON${htmlHint(bytes)}`, { cause: error });
  }
  return requireObject(value, what);
}

function requireObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refusal(`${what}: expected an object`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function requireList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw refusal(`${what}: expected a list`);
  }
  return value;
}

/** Absent and null are empty: Docker writes both. */
function textOf(value: unknown, what: string): string {
  if (value === undefined || value === null) {
    return '';
  }
  if (typeof value !== 'string' || value.includes('\0')) {
    throw refusal(`${what}: expected a text`);
  }
  return value;
}

function textsOf(value: unknown, what: string): readonly string[] {
  return value === undefined || value === null ? [] : requireList(value, what).map(one => {
    if (typeof one !== 'string') throw refusal(`${what}: expected a list of texts`);
    return textOf(one, what);
  });
}

/** Names the type of a list or an object instead of printing it: its depth may exceed the stack. */
function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'a list' : 'an object';
  }
  return quoted(typeof value === 'string' ? value : value === undefined ? 'nothing' : JSON.stringify(value));
}

function refusal(message: string): ClusterError {
  return new ClusterError('FAILED_PRECONDITION', message);
}
