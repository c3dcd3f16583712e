import type { BuiltImage } from './image-build.ts';
import type { RegistryClient, RegistryImage } from './registry-client.ts';

/** Puts an image into a registry: its blobs, then the manifest, so that what has a name is whole. */
export async function pushImage(client: RegistryClient, image: RegistryImage, built: BuiltImage, signal: AbortSignal): Promise<void> {
  for (const blob of built.blobs) {
    await client.pushBlob(image, blob, signal);
  }
  await client.pushManifest(image, { mediaType: built.mediaType, bytes: built.manifest }, signal);
}
