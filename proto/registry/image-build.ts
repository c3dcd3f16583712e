/** An image out of layer tars and a config, as the blobs and the manifest that a registry takes. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { parseDigest } from '#model/digest.ts';
import type { Digest } from '#model/digest.ts';

/** Source: OCI image-spec, media-types.md. */
export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** The image's own wishes. Source: OCI image-spec, config.md. */
export interface BuildConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
}

export interface BuiltImage {
  /** Digest of `manifest`: what names the image. */
  readonly digest: Digest;
  readonly mediaType: string;
  readonly manifest: Uint8Array;
  /** Layers, lowest first, then the config. */
  readonly blobs: readonly { readonly digest: Digest; readonly bytes: Uint8Array }[];
}

/** A layer as it travels. */
export interface BuiltLayer {
  /** Digest of the layer's tar. */
  readonly diffId: Digest;
  /** The tar, gzipped. */
  readonly bytes: Uint8Array;
}

/** The same input gives the same digests. `layers` are tars, lowest first. `architecture` is Go's word: amd64, arm64. */
export function buildImage(input: { readonly layers: readonly Uint8Array[]; readonly architecture: string; readonly config: BuildConfig }): BuiltImage {
  return assembleImage({ ...input, layers: input.layers.map(tar => ({ diffId: sha256Of(tar), bytes: gzipSync(tar) })) });
}

/** The image of layers that are gzipped already. */
export function assembleImage(input: { readonly layers: readonly BuiltLayer[]; readonly architecture: string; readonly config: BuildConfig }): BuiltImage {
  const layers = input.layers.map(({ diffId, bytes }) => ({ diffId, ...asBlob(bytes) }));
  const config = asBlob(Buffer.from(JSON.stringify({
    architecture: input.architecture, os: 'linux', config: input.config, rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) },
  })));
  const manifest = Buffer.from(JSON.stringify({
    schemaVersion: 2, mediaType: MANIFEST_TYPE, config: describe(CONFIG_TYPE, config), layers: layers.map(layer => describe(LAYER_TYPE, layer)),
  }));
  return { digest: sha256Of(manifest), mediaType: MANIFEST_TYPE, manifest, blobs: [...layers.map(({ digest, bytes }) => ({ digest, bytes })), config] };
}

/** `sha256:` of the bytes. */
export function sha256Of(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

function asBlob(bytes: Uint8Array): { readonly digest: Digest; readonly bytes: Uint8Array } {
  return { digest: sha256Of(bytes), bytes };
}

function describe(mediaType: string, blob: { readonly digest: Digest; readonly bytes: Uint8Array }): object {
  return { mediaType, digest: blob.digest, size: blob.bytes.byteLength };
}
