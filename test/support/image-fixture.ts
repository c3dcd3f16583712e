/** What the image tests share: a state directory of their own, a store on it, a client for the test registry. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#kit/clock.ts';
import type { Digest } from '#model/digest.ts';
import { buildImage } from '#registry/image-build.ts';
import type { BuildConfig } from '#registry/image-build.ts';
import { pushImage } from '#registry/push-flow.ts';
import { RegistryClient } from '#registry/registry-client.ts';
import { NO_REGISTRY_SETTINGS } from '#registry/registry-settings-parse.ts';
import type { RegistrySettings } from '#registry/registry-settings-parse.ts';
import { DiskImageStore } from '../../agent/image/image-store.ts';
import type { ImageStoreOptions } from '../../agent/image/image-store.ts';
import type { PullRequest } from '../../agent/image/ports.ts';

/** The node's own platform in Go's words. */
export const PLATFORM = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch } as const;
export const NO_SIGNAL = new AbortController().signal;

/** A directory on the disk, mode 0711, gone at the end. */
export async function makeStateDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const directory = await mkdtemp('/var/tmp/gantry-images-');
  return { path: directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

let stores = 0;

export function openStore(statePath: string, options: Partial<ImageStoreOptions> = {}): DiskImageStore & AsyncDisposable {
  stores += 1;
  const store = new DiskImageStore({
    statePath, platform: PLATFORM, concurrency: 2, prefix: `test-${String(process.pid)}-${String(stores)}`, registries: NO_REGISTRY_SETTINGS, idleMs: 15_000,
    credentials: () => Promise.resolve(undefined), ...options,
  });
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

/** These are asked without TLS. */
export function plain(...plainRegistries: readonly string[]): RegistrySettings {
  return { ...NO_REGISTRY_SETTINGS, plainRegistries };
}

export function makeClient(options: { readonly caPem?: string; readonly plain?: string }): RegistryClient & AsyncDisposable {
  const client = new RegistryClient({
    ...(options.caPem === undefined ? {} : { caPem: options.caPem }), ...plain(...(options.plain === undefined ? [] : [options.plain])),
    credentials: () => Promise.resolve(undefined), clock: systemClock, random: () => 0.5,
  });
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

/** Builds, pushes, and says how to pull. */
export async function push(server: { readonly registry: string; readonly caPem: string }, name: string, image: { readonly layers: readonly Uint8Array[]; readonly config?: BuildConfig }): Promise<PullRequest & { readonly digest: Digest }> {
  await using client = makeClient(server);
  const built = buildImage({ layers: image.layers, architecture: PLATFORM.architecture, config: image.config ?? { Cmd: ['/bin/true'] } });
  await pushImage(client, { registry: server.registry, repository: name, tag: 'v1' }, built, NO_SIGNAL);
  return { image: `${server.registry}/${name}:v1`, digest: built.digest };
}

/** Everything below `directory`, sorted; waits until what is thrown away is deleted. */
export async function listState(directory: string): Promise<readonly string[]> {
  for (let tries = 0; tries < 2_400; tries += 1) {
    const names = (await readdir(directory, { recursive: true }).catch(() => ['trash/x'])).sort();
    if (!names.some(name => /^(?:snapshots-)?trash\//.test(name))) return names;
    await sleep(25);
  }
  throw new Error(`the trash of ${directory} is not deleted`);
}

/** Of `listState`, what a refused image must not leave. */
export async function listLeftovers(directory: string): Promise<readonly string[]> {
  return (await listState(directory)).filter(name => path.dirname(name) !== '.');
}
