/** Unpackers of images that share nothing with ours. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BuiltImage } from '#registry/image-build.ts';
import { run } from './node-namespaces.ts';

/** Unpacks `image` below `directory`, which must be empty, and says where its root file system is. Source: OCI image-spec, image-layout.md */
export function unpackWithUmoci(image: BuiltImage, directory: string): string {
  const layout = path.join(directory, 'layout');
  mkdirSync(path.join(layout, 'blobs/sha256'), { recursive: true });
  writeFileSync(path.join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  for (const { digest, bytes } of [...image.blobs, { digest: image.digest, bytes: image.manifest }]) {
    writeFileSync(path.join(layout, 'blobs/sha256', digest.slice('sha256:'.length)), bytes);
  }
  writeFileSync(path.join(layout, 'index.json'), JSON.stringify({
    schemaVersion: 2,
    manifests: [{ mediaType: image.mediaType, digest: image.digest, size: image.manifest.length, annotations: { 'org.opencontainers.image.ref.name': 'v1' } }],
  }));
  const rootfs = path.join(directory, 'rootfs');
  run('umoci', 'raw', 'unpack', '--image', `${layout}:v1`, rootfs);
  return rootfs;
}

/** Unpacks the layers one over another by GNU tar, which knows no whiteouts. */
export function unpackWithTar(layers: readonly Uint8Array[], directory: string): string {
  const rootfs = path.join(directory, 'rootfs');
  mkdirSync(rootfs);
  for (const layer of layers) {
    const file = path.join(directory, 'layer.tar');
    writeFileSync(file, layer);
    run('tar', '--numeric-owner', '--xattrs', '-xpf', file, '-C', rootfs);
  }
  return rootfs;
}
