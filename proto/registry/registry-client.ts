import { createHash } from 'node:crypto';
import { isDigest, parseDigest } from '#model/digest.ts';
import type { Digest } from '#model/digest.ts';
import { ClusterError } from '#model/errors.ts';
import type { ImageReference } from '#model/image-reference.ts';
import { parseContentRange, parseNextLink, parseTagList } from './challenge-parse.ts';
import { RegistryTransport, connectionProblem, headerOf, readBody } from './registry-transport.ts';
import type { RegistryCredentials, RegistryOptions, RegistryRequest, RegistryResponse } from './registry-transport.ts';

/** A reference whose registry is known. */
export type RegistryImage = ImageReference & { readonly registry: string };

type Place = RegistryImage & { readonly isMirror?: boolean };

export interface FetchedManifest {
  readonly digest: Digest;
  /** As the registry says, without parameters. */
  readonly contentType: string;
  readonly bytes: Buffer;
}

export interface BlobDescriptor {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** Source: OCI distribution-spec, "support at least 4 megabytes". */
export const MAX_MANIFEST_BYTES = 4 * 2 ** 20;
/** Source: OCI image-spec, media-types.md; Docker image manifest V2 schema 2. */
const ACCEPT = [
  'application/vnd.oci.image.index.v1+json', 'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json', 'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const TAGS_A_PAGE = 1000;
const MAX_TAGS = 20_000;
/** Breaks in a row, without `PROGRESS_BYTES` between them, that a blob survives. */
const MAX_RESUMES = 3;
const PROGRESS_BYTES = 2 ** 20;
/** Slower than this over a whole stall time is a stall. */
const MIN_BYTES_PER_SECOND = 1024;

/**
 * An OCI registry: tags to digests, manifests, blobs that resume, push.
 *
 * All that it returns was checked against its digest, but `openBlob`'s bytes, which the caller hashes.
 *
 * @throws ClusterError NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE (away, stalled), FAILED_PRECONDITION (says what cannot be)
 * Source: OCI distribution-spec v1.1
 */
export class RegistryClient {
  readonly #transport: RegistryTransport;

  constructor(options: RegistryOptions | RegistryTransport) {
    this.#transport = options instanceof RegistryTransport ? options : new RegistryTransport(options);
  }

  /** The same client with this login, and no other, for every registry. Closing either closes both. */
  withLogin(login: RegistryCredentials | undefined, onRetry?: (what: string) => void): RegistryClient {
    return new RegistryClient(this.#transport.withOptions({ credentials: () => Promise.resolve(login), ...(onRetry === undefined ? {} : { onRetry }) }));
  }

  /** The same client that asks no mirror: what is written to a registry is made of what it has itself. */
  withoutMirrors(): RegistryClient {
    return new RegistryClient(this.#transport.withOptions({ mirrors: new Map() }));
  }

  /** @throws ClusterError PERMISSION_DENIED when the registry does not take the login */
  async checkLogin(registry: string, signal: AbortSignal): Promise<void> {
    const response = await this.#transport.send({ registry, scope: '', method: 'GET', url: '/v2/' }, signal);
    await response.body.dump();
    if (response.statusCode !== 200) {
      throw refusalOf(response, `login at ${registry}`);
    }
  }

  /** Tags of the repository, as the registry orders them. */
  async listTags(image: RegistryImage, signal: AbortSignal): Promise<readonly string[]> {
    const tags: string[] = [];
    let url: string | undefined = `/v2/${image.repository}/tags/list?n=${String(TAGS_A_PAGE)}`;
    while (url !== undefined) {
      const response: RegistryResponse = await this.#transport.send({ ...pullOf(image), method: 'GET', url }, signal);
      if (response.statusCode !== 200) {
        await response.body.dump();
        throw refusalOf(response, `repository ${image.registry}/${image.repository}`);
      }
      const page = parseTagList(await readBody(response, MAX_MANIFEST_BYTES, 'tag list'));
      tags.push(...page);
      if (tags.length > MAX_TAGS) {
        throw new ClusterError('RESOURCE_EXHAUSTED', `repository ${image.registry}/${image.repository} has more than ${String(MAX_TAGS)} tags`);
      }
      url = page.length === 0 ? undefined : parseNextLink(headerOf(response, 'link') ?? '');
    }
    return tags;
  }

  /** True when the image's repository has the blob, which only somebody who may pull from it is told. */
  async hasBlob(image: RegistryImage, digest: Digest, signal: AbortSignal): Promise<boolean> {
    const response = await this.#transport.send({ ...pullOf(image), method: 'HEAD', url: `/v2/${image.repository}/blobs/${digest}` }, signal);
    await response.body.dump();
    if (response.statusCode !== 200 && response.statusCode !== 404) {
      throw refusalOf(response, `blob ${digest}`);
    }
    return response.statusCode === 200;
  }

  /** The digest that the image's tag has now; its own digest when it is pinned. */
  async resolve(image: RegistryImage, signal: AbortSignal): Promise<Digest> {
    return image.digest ?? await this.#atFirstGood(image, async place => await this.#resolveAt(place, signal), signal);
  }

  async #resolveAt(image: Place, signal: AbortSignal): Promise<Digest> {
    const response = await this.#transport.send(this.#manifestRequest(image, 'HEAD'), signal);
    await response.body.dump();
    if (response.statusCode !== 200) {
      throw refusalOf(response, `image ${nameOf(image)}`);
    }
    const digest = headerOf(response, 'docker-content-digest') ?? '';
    return isDigest(digest) ? digest : (await this.#fetchManifestAt(image, signal)).digest;
  }

  /** The manifest or index that `image` names, by digest before tag. */
  async fetchManifest(image: RegistryImage, signal: AbortSignal): Promise<FetchedManifest> {
    return await this.#atFirstGood(image, async place => await this.#fetchManifestAt(place, signal), signal);
  }

  async #fetchManifestAt(image: Place, signal: AbortSignal): Promise<FetchedManifest> {
    const response = await this.#transport.send(this.#manifestRequest(image, 'GET'), signal);
    if (response.statusCode !== 200) {
      await response.body.dump();
      throw refusalOf(response, `image ${nameOf(image)}`);
    }
    const bytes = await readBody(response, MAX_MANIFEST_BYTES, 'manifest');
    const digest = image.digest ?? digestOf('sha256', bytes);
    requireDigest(digest, bytes, `manifest of ${nameOf(image)}`);
    return { digest, bytes, contentType: (headerOf(response, 'content-type') ?? '').split(';')[0]?.trim() ?? '' };
  }

  /** A small blob, whole: an image's config. */
  async fetchBlob(image: RegistryImage, descriptor: BlobDescriptor, signal: AbortSignal): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.openBlob(image, descriptor, 0, signal)) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    requireDigest(descriptor.digest, bytes, `blob of ${nameOf(image)}`);
    return bytes;
  }

  /** The blob's bytes from `offset` on, exactly to its end; goes on with Range where a connection broke. */
  async *openBlob(image: RegistryImage, descriptor: BlobDescriptor, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const places = await this.#placesOf(image);
    let at = offset;
    for (const [index, place] of places.entries()) {
      try {
        for await (const piece of this.#readAt(place, descriptor, at, signal)) {
          at += piece.length;
          yield piece;
        }
        return;
      } catch (error) {
        this.#sayNext(places, index, error, signal);
      }
    }
  }

  async *#readAt(image: Place, descriptor: BlobDescriptor, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let at = offset;
    let resumes = 0;
    let safeAt = offset;
    while (at < descriptor.sizeBytes) {
      const startedAt = at;
      const problem = yield *this.#readSome(image, descriptor, at, signal);
      at = problem.at;
      if (at >= safeAt + PROGRESS_BYTES) {
        resumes = 0;
        safeAt = at;
      }
      if (at < descriptor.sizeBytes) {
        resumes += 1;
        if (resumes > MAX_RESUMES) {
          throw new ClusterError('UNAVAILABLE', `blob ${descriptor.digest}: got ${String(at)} of ${String(descriptor.sizeBytes)} bytes: ${problem.why}`);
        }
        this.#transport.options.onRetry?.(`${image.registry}: ${problem.why} at ${String(at)}, from ${String(startedAt)}`);
      }
    }
  }

  /** Puts the blob there unless it is. */
  async pushBlob(image: RegistryImage, blob: { readonly digest: Digest; readonly bytes: Uint8Array }, signal: AbortSignal): Promise<void> {
    const scope = { registry: image.registry, scope: `repository:${image.repository}:pull,push` };
    const there = await this.#transport.send({ ...scope, method: 'HEAD', url: `/v2/${image.repository}/blobs/${blob.digest}` }, signal);
    await there.body.dump();
    if (there.statusCode === 200) {
      return;
    }
    const begun = await this.#push({ ...scope, method: 'POST', url: `/v2/${image.repository}/blobs/uploads/`, headers: { 'content-length': '0' } }, signal);
    const location = headerOf(begun, 'location');
    if (location === undefined) {
      throw new ClusterError('UNAVAILABLE', `registry ${image.registry} names no place to upload to`);
    }
    await this.#push({ ...scope, method: 'PUT', url: withDigest(location, blob.digest), headers: { 'content-type': 'application/octet-stream' }, body: blob.bytes }, signal);
  }

  /** Puts the manifest there under the image's tag, or its digest. */
  async pushManifest(image: RegistryImage, manifest: { readonly mediaType: string; readonly bytes: Uint8Array }, signal: AbortSignal): Promise<void> {
    await this.#push({
      registry: image.registry, scope: `repository:${image.repository}:pull,push`, method: 'PUT',
      url: `/v2/${image.repository}/manifests/${image.tag ?? digestOf('sha256', manifest.bytes)}`, headers: { 'content-type': manifest.mediaType }, body: manifest.bytes,
    }, signal);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  /** Mirrors, then the registry itself; a login is for the registry alone, so what it opens is not asked of a mirror. */
  async #placesOf(image: RegistryImage): Promise<readonly Place[]> {
    const mirrors = this.#transport.options.mirrors.get(image.registry) ?? [];
    if (mirrors.length === 0 || await this.#transport.options.credentials(image.registry) !== undefined) {
      return [image];
    }
    return [...mirrors.map(registry => ({ ...image, registry, isMirror: true })), image];
  }

  async #atFirstGood<Answer>(image: RegistryImage, ask: (place: Place) => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    const places = await this.#placesOf(image);
    for (const [index, place] of places.entries()) {
      try {
        return await ask(place);
      } catch (error) {
        this.#sayNext(places, index, error, signal);
      }
    }
    throw new RangeError('an image has no place');
  }

  /** A mirror that fails, whatever the way, is followed by the next place. @throws `error` when there is none */
  #sayNext(places: readonly Place[], index: number, error: unknown, signal: AbortSignal): void {
    signal.throwIfAborted();
    const next = places[index + 1];
    if (next === undefined || !(error instanceof ClusterError)) {
      throw error;
    }
    this.#transport.options.onRetry?.(`${places[index]?.registry ?? ''}: ${error.message}; ${next.registry} is asked`);
  }

  #manifestRequest(image: Place, method: 'GET' | 'HEAD'): RegistryRequest {
    return { ...pullOf(image), method, url: `/v2/${image.repository}/manifests/${image.digest ?? image.tag ?? 'latest'}`, headers: { accept: ACCEPT } };
  }

  async #push(one: RegistryRequest, signal: AbortSignal): Promise<RegistryResponse> {
    const response = await this.#transport.send(one, signal);
    await response.body.dump();
    if (response.statusCode < 200 || response.statusCode > 299) {
      throw refusalOf(response, `push to ${one.registry}`);
    }
    return response;
  }

  /** Yields what one connection gives; returns how far it came and why it broke, if it did. */
  async *#readSome(image: Place, descriptor: BlobDescriptor, from: number, signal: AbortSignal): AsyncGenerator<Uint8Array, { readonly at: number; readonly why: string }> {
    const response = await this.#transport.send({
      ...pullOf(image), method: 'GET', url: `/v2/${image.repository}/blobs/${descriptor.digest}`, ...(from === 0 ? {} : { headers: { range: `bytes=${String(from)}-` } }),
    }, signal);
    if (response.statusCode === 416) {
      await response.body.dump();
      return { at: from, why: 'the registry has no more of it' };
    }
    let skip = await skipBytes(response, descriptor, from);
    let at = from;
    const pace = new Pace(this.#transport.options);
    try {
      for await (const piece of response.body as AsyncIterable<Buffer>) {
        pace.add(piece.length);
        const useful = piece.subarray(Math.min(skip, piece.length));
        skip -= piece.length - useful.length;
        at += useful.length;
        if (at > descriptor.sizeBytes) {
          throw new ClusterError('FAILED_PRECONDITION', `blob ${descriptor.digest} is longer than its ${String(descriptor.sizeBytes)} bytes`);
        }
        yield useful;
        pace.ask();
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ClusterError) throw error;
      if (error instanceof Error && 'code' in error && error.code === 'UND_ERR_BODY_TIMEOUT') throw stalled(descriptor);
      return { at, why: connectionProblem(error) };
    }
    return { at, why: 'the connection ended' };
  }
}

/** Watches the time spent waiting for bytes, so that a slow reader is no slow registry. */
class Pace {
  readonly #options: RegistryOptions;
  #askedAtMs: number;
  #waitedMs = 0;
  #bytes = 0;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#askedAtMs = options.clock.monotonicMs();
  }

  ask(): void {
    this.#askedAtMs = this.#options.clock.monotonicMs();
  }

  /** @throws ClusterError UNAVAILABLE when a whole stall time brought too little */
  add(bytes: number): void {
    const stallMs = this.#options.stallTimeoutMs ?? 60_000;
    this.#waitedMs += this.#options.clock.monotonicMs() - this.#askedAtMs;
    this.#bytes += bytes;
    if (this.#waitedMs < stallMs) return;
    if (this.#bytes * 1000 < this.#waitedMs * MIN_BYTES_PER_SECOND) {
      throw new ClusterError('UNAVAILABLE', `the registry sends less than ${String(MIN_BYTES_PER_SECOND)} bytes/s: stalled`);
    }
    this.#waitedMs = 0;
    this.#bytes = 0;
  }
}

/** Bytes at the body's start that were asked away but sent. @throws ClusterError when the answer is no part of the blob */
async function skipBytes(response: RegistryResponse, descriptor: BlobDescriptor, from: number): Promise<number> {
  if (response.statusCode === 200) {
    return from;
  }
  if (response.statusCode !== 206) {
    await response.body.dump();
    throw refusalOf(response, `blob ${descriptor.digest}`);
  }
  const range = parseContentRange(headerOf(response, 'content-range') ?? '');
  if (range?.first !== from) {
    await response.body.dump();
    throw new ClusterError('FAILED_PRECONDITION', `blob ${descriptor.digest}: the registry answers another range than asked for`);
  }
  return 0;
}

function stalled(descriptor: BlobDescriptor): ClusterError {
  return new ClusterError('UNAVAILABLE', `blob ${descriptor.digest}: the registry stalled`);
}

function refusalOf(response: RegistryResponse, what: string): ClusterError {
  const status = String(response.statusCode);
  switch (response.statusCode) {
    case 401:
    case 403:
      return new ClusterError('PERMISSION_DENIED', `${what}: access denied by the registry (${status})`);
    case 404:
      return new ClusterError('NOT_FOUND', `${what}: not in the registry`);
    default:
      return new ClusterError(response.statusCode >= 500 || response.statusCode === 429 ? 'UNAVAILABLE' : 'FAILED_PRECONDITION', `${what}: the registry answers status ${status}`);
  }
}

function pullOf(image: Place): Pick<RegistryRequest, 'registry' | 'scope' | 'isMirror'> {
  return { registry: image.registry, scope: `repository:${image.repository}:pull`, ...(image.isMirror === true ? { isMirror: true } : {}) };
}

function withDigest(location: string, digest: Digest): string {
  return `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
}

function nameOf(image: RegistryImage): string {
  return `${image.registry}/${image.repository}${image.digest === undefined ? `:${image.tag ?? 'latest'}` : `@${image.digest}`}`;
}

function digestOf(algorithm: 'sha256' | 'sha512', bytes: Uint8Array): Digest {
  return parseDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`);
}

/** @throws ClusterError FAILED_PRECONDITION */
function requireDigest(digest: Digest, bytes: Uint8Array, what: string): void {
  const actual = digestOf(digest.startsWith('sha512:') ? 'sha512' : 'sha256', bytes);
  if (actual !== digest) {
    throw new ClusterError('FAILED_PRECONDITION', `${what}: digest mismatch: got ${actual}, not ${digest}`);
  }
}
