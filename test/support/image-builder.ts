/** Images of fixtures/badinputs/images.jsonl: a recipe becomes what a registry serves. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Digest } from '#model/digest.ts';
import { MANIFEST_TYPE, sha256Of } from '#registry/image-build.ts';
import type { RegistryScript, ServedImage } from './fake-registry.ts';
import { PLATFORM } from './image-fixture.ts';
import { buildTar, tarHeader } from './tar-builder.ts';
import type { TarSpec } from './tar-builder.ts';

export interface ImageRecipe {
  readonly layers?: readonly (readonly TarSpec[])[];
  /** true: the tar ends in its last entry; "layer0": the registry has the blob without its second half. */
  readonly truncate?: true | 'layer0';
  readonly rawHeader?: { readonly n: string; readonly checksum: string };
  readonly rawPax?: { readonly len: number };
  readonly gzipZeros?: string;
  readonly corruptGzipCrc?: true;
  readonly mediaType?: string;
  readonly wrongDiffId?: number;
  readonly descriptor?: Readonly<Record<string, unknown>>;
  readonly manifestBytes?: number;
  readonly indexEntries?: number;
  readonly manifest?: string | Readonly<Record<string, unknown>>;
  readonly contentType?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly registry?: RegistryScript;
  readonly concurrent?: number;
  readonly disk?: 'loop ext4 64M';
  readonly ref?: 'private';
  readonly creds?: 'none';
}

const KNOWN: ReadonlySet<string> = new Set([
  'layers', 'truncate', 'rawHeader', 'rawPax', 'gzipZeros', 'corruptGzipCrc', 'mediaType', 'wrongDiffId', 'descriptor', 'manifestBytes', 'indexEntries',
  'manifest', 'contentType', 'config', 'registry', 'concurrent', 'disk', 'ref', 'creds',
]);
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const GOOD_LAYER: readonly TarSpec[] = [{ t: 'd', n: 'bin' }, { t: 'f', n: 'bin/x', data: '#!' }];

export interface RecipeImage {
  readonly digest: Digest;
  readonly served: ServedImage;
  readonly script: RegistryScript;
}

/** One that runs: a layer with the machine's busybox and bytes that do not compress. */
export function goodImage(salt: string, bytes: number): ReturnType<typeof buildRecipe> {
  const noise = Buffer.alloc(bytes);
  let state = salt.length + 1;
  for (let at = 0; at < bytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    noise.writeUInt32LE(state, at);
  }
  return buildRecipe({
    layers: [[{ t: 'd', n: 'bin' }, { t: 'f', n: 'bin/busybox', data: readFileSync('/bin/busybox'), mode: 0o755 }, { t: 'f', n: `noise-${salt}`, data: noise }]],
    config: { Cmd: ['/bin/busybox', 'sleep', '1000'] },
  });
}

/** @throws Error for a key that no test knows */
export function buildRecipe(recipe: ImageRecipe): RecipeImage {
  const unknown = Object.keys(recipe).filter(key => !KNOWN.has(key));
  if (unknown.length > 0) throw new Error(`unknown recipe key ${unknown.join(', ')}`);
  const layers = layersOf(recipe);
  const config = Buffer.from(JSON.stringify({
    os: PLATFORM.os, architecture: PLATFORM.architecture, config: recipe.config ?? { Cmd: ['/bin/x'] },
    rootfs: { type: 'layers', diff_ids: layers.map((layer, index) => index === recipe.wrongDiffId ? sha256Of(Buffer.from('other')) : layer.diffId) },
  }));
  const manifest = manifestOf(recipe, config, layers);
  const digest = sha256Of(manifest.bytes);
  const blobs = new Map<string, Uint8Array>([[sha256Of(config), config], ...layers.map(layer => [sha256Of(layer.blob), layer.blob] as const)]);
  const first = layers[0];
  if (recipe.truncate === 'layer0' && first !== undefined) blobs.set(sha256Of(first.blob), first.blob.subarray(0, first.blob.length / 2));
  const script = { ...recipe.registry, ...(recipe.contentType === undefined ? {} : { contentType: recipe.contentType }) };
  return { digest, served: { manifests: new Map([[digest, manifest]]), blobs }, script };
}

interface RecipeLayer {
  readonly blob: Buffer;
  readonly diffId: Digest;
}

function layersOf(recipe: ImageRecipe): readonly RecipeLayer[] {
  if (recipe.gzipZeros !== undefined) {
    return [zeros(recipe.gzipZeros)];
  }
  const tars = recipe.rawHeader !== undefined ? [Buffer.concat([tarHeader({ name: Buffer.from(recipe.rawHeader.n), flag: '0', size: 0, checksum: `${recipe.rawHeader.checksum}\0 ` }), Buffer.alloc(1024)])]
    : recipe.rawPax !== undefined ? [Buffer.concat([tarHeader({ name: Buffer.from('pax'), flag: 'x', size: recipe.rawPax.len }), Buffer.alloc(4096, 'x')])]
      : (recipe.layers ?? [GOOD_LAYER]).map(entries => buildTar(entries, { isTruncated: recipe.truncate === true }));
  return tars.map(tar => {
    const blob = gzipSync(tar);
    // Source: RFC 1952 section 2.3.1: CRC32 and size are the last eight bytes.
    if (recipe.corruptGzipCrc === true) blob.writeUInt32LE((blob.readUInt32LE(blob.length - 8) ^ 1) >>> 0, blob.length - 8);
    return { blob, diffId: sha256Of(tar) };
  });
}

/** A file of zeros; gzip members put together are one stream. Source: RFC 1952 section 2.2. */
function zeros(size: string): RecipeLayer {
  const gib = Number(/^(\d+)GiB$/.exec(size)?.[1]);
  const member = gzipSync(Buffer.alloc(64 * 2 ** 20), { level: 9 });
  const header = tarHeader({ name: Buffer.from('zeros'), flag: '0', size: 8 * 2 ** 30 - 1 });
  return { blob: Buffer.concat([gzipSync(header), ...Array.from({ length: gib * 16 }, () => member)]), diffId: sha256Of(Buffer.from('never reached')) };
}

function manifestOf(recipe: ImageRecipe, config: Buffer, layers: readonly RecipeLayer[]): { readonly mediaType: string; readonly bytes: Buffer } {
  if (typeof recipe.manifest === 'string') {
    return { mediaType: MANIFEST_TYPE, bytes: Buffer.from(recipe.manifest) };
  }
  if (recipe.indexEntries !== undefined) {
    const entry = { mediaType: MANIFEST_TYPE, digest: sha256Of(config), size: 1, platform: PLATFORM };
    return { mediaType: INDEX_TYPE, bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: Array.from({ length: recipe.indexEntries }, () => entry) })) };
  }
  const body = {
    schemaVersion: 2, mediaType: MANIFEST_TYPE, config: { mediaType: CONFIG_TYPE, digest: sha256Of(config), size: config.length },
    layers: layers.map(layer => ({ mediaType: recipe.mediaType ?? LAYER_TYPE, digest: sha256Of(layer.blob), size: layer.blob.length, ...recipe.descriptor })),
    ...recipe.manifest,
  };
  const text = JSON.stringify(body);
  return { mediaType: MANIFEST_TYPE, bytes: Buffer.from(recipe.manifestBytes === undefined ? text : text + ' '.repeat(recipe.manifestBytes - text.length)) };
}
