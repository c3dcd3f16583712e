import { readFileSync } from 'node:fs';
import { systemClock } from '#kit/clock.ts';
import { parseDigest } from '#model/digest.ts';
import { MANIFEST_TYPE, sha256Of } from '#registry/image-build.ts';
import type { BuildConfig } from '#registry/image-build.ts';
import { RegistryClient } from '#registry/registry-client.ts';
import { NO_REGISTRY_SETTINGS } from '#registry/registry-settings-parse.ts';
import type { DevCluster } from './dev-cluster.ts';

interface ImageManifest {
  readonly config: { readonly digest: string; readonly size: number };
}

/** Pushes `REPOSITORY:TAG` with the layers of `REPOSITORY:1` and another config: another image, without building one. */
export async function pushVariant(cluster: DevCluster, repository: string, tag: string, change: BuildConfig): Promise<void> {
  const client = new RegistryClient({
    caPem: readFileSync(`${cluster.layout.stateDir}/pki/ca.pem`, 'utf8'), ...NO_REGISTRY_SETTINGS, credentials: () => Promise.resolve(undefined),
    clock: systemClock, random: Math.random,
  });
  const image = { registry: cluster.registry, repository };
  const signal = AbortSignal.timeout(60_000);
  try {
    const manifest = JSON.parse((await client.fetchManifest({ ...image, tag: '1' }, signal)).bytes.toString('utf8')) as ImageManifest;
    const before = JSON.parse((await client.fetchBlob(image, { digest: parseDigest(manifest.config.digest), sizeBytes: manifest.config.size }, signal)).toString('utf8')) as { readonly config: BuildConfig };
    const config = Buffer.from(JSON.stringify({ ...before, config: { ...before.config, ...change } }));
    await client.pushBlob(image, { digest: sha256Of(config), bytes: config }, signal);
    const bytes = Buffer.from(JSON.stringify({ ...manifest, config: { ...manifest.config, digest: sha256Of(config), size: config.byteLength } }));
    await client.pushManifest({ ...image, tag }, { mediaType: MANIFEST_TYPE, bytes }, signal);
  } finally {
    await client.close();
  }
}
