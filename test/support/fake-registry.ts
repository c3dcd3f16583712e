import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How the registry misbehaves. Keys as `registry` in fixtures/badinputs/README.md. */
export interface RegistryScript {
  /** Status of each manifest request in turn; the last one stays. */
  readonly manifest?: string | readonly string[];
  readonly retryAfter?: string;
  /** A WWW-Authenticate header; every request without Authorization gets it with 401. */
  readonly auth?: string;
  /** `302 self`: blobs lead to themselves; any other URL: there. */
  readonly blob?: string;
  /** Status of each answer to a request for a blob. */
  readonly blobStatus?: number;
  /** Closes the connection after this share of each blob's first answer; "first only": after half of the very first one. */
  readonly cut?: number | 'first only';
  /** false: answers 200 to Range. "wrong": answers 206 with the blob's beginning, whatever was asked; first answers are cut, so that it is asked. */
  readonly range?: boolean | 'wrong';
  readonly contentType?: string;
  /** Bytes a second of every blob. */
  readonly bytesPerSecond?: number;
  /** The only login that is let in, by Basic. */
  readonly login?: { readonly username: string; readonly password: string };
}

export interface ServedImage {
  /** By digest and by tag. */
  readonly manifests: ReadonlyMap<string, { readonly mediaType: string; readonly bytes: Uint8Array }>;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

/** A registry, by default plain on 127.0.0.1, that serves one image and misbehaves as told. */
export interface FakeRegistry extends AsyncDisposable {
  readonly registry: string;
  serve(image: ServedImage, script?: RegistryScript): void;
  /** Blob GETs of the served image so far, by digest. */
  readonly blobRequests: ReadonlyMap<string, number>;
  /** Method, path, Range and Authorization of each request of the served image. */
  readonly requests: readonly { readonly line: string; readonly range: string; readonly authorization: string }[];
  readonly blobBytesSent: number;
}

/** With `tls`, one that nodes of a local cluster reach at `host` and trust. */
export async function startFakeRegistry(options: { readonly host?: string; readonly tls?: { readonly cert: Buffer; readonly key: Buffer } } = {}): Promise<FakeRegistry> {
  const registry = new Registry();
  const { host = '127.0.0.1', tls } = options;
  const answer = (request: IncomingMessage, response: ServerResponse): void => { registry.answer(request, response); };
  const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  server.listen(0, host);
  await once(server, 'listening');
  return Object.assign(registry, {
    registry: `${host}:${String((server.address() as AddressInfo).port)}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

class Registry {
  blobRequests = new Map<string, number>();
  requests: { line: string; range: string; authorization: string }[] = [];
  blobBytesSent = 0;
  #image: ServedImage = { manifests: new Map(), blobs: new Map() };
  #script: RegistryScript = {};
  #manifestRequests = 0;
  #isCut = false;

  serve(image: ServedImage, script: RegistryScript = {}): void {
    this.#image = image;
    this.#script = script;
    this.#manifestRequests = 0;
    this.#isCut = false;
    this.blobRequests = new Map();
    this.requests = [];
    this.blobBytesSent = 0;
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers: { authorization = '', range = '' } } = request;
    const [, kind, name = ''] = /^\/v2\/.+\/(manifests|blobs)\/([^/]+)$/.exec(url) ?? [];
    this.requests.push({ line: `${method} ${url}`, range, authorization });
    if (!this.#isLetIn(authorization)) {
      response.writeHead(401, { 'www-authenticate': this.#script.auth ?? 'Basic realm="test"' }).end();
    } else if (url === '/v2/') {
      response.end('{}');
    } else if (kind === 'manifests') {
      this.#answerManifest(name, request, response);
    } else if (kind === 'blobs') {
      this.#answerBlob(name, request, response);
    } else {
      response.writeHead(404).end();
    }
  }

  #isLetIn(authorization: string): boolean {
    const { login, auth } = this.#script;
    if (login !== undefined) return authorization === `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
    return auth === undefined || authorization !== '';
  }

  #answerManifest(name: string, request: IncomingMessage, response: ServerResponse): void {
    const statuses = [this.#script.manifest ?? '200'].flat();
    const status = Number(statuses[Math.min(this.#manifestRequests, statuses.length - 1)]);
    this.#manifestRequests += 1;
    const manifest = this.#image.manifests.get(name);
    if (status !== 200 || manifest === undefined) {
      response.writeHead(status === 200 ? 404 : status, this.#script.retryAfter === undefined ? {} : { 'retry-after': this.#script.retryAfter }).end();
      return;
    }
    response.writeHead(200, { 'content-type': this.#script.contentType ?? manifest.mediaType, 'content-length': String(manifest.bytes.length) });
    response.end(request.method === 'HEAD' ? undefined : manifest.bytes);
  }

  #answerBlob(digest: string, request: IncomingMessage, response: ServerResponse): void {
    this.blobRequests.set(digest, (this.blobRequests.get(digest) ?? 0) + 1);
    const blob = this.#image.blobs.get(digest);
    if (this.#script.blob !== undefined) {
      response.writeHead(302, { location: this.#script.blob === '302 self' ? request.url : this.#script.blob }).end();
      return;
    }
    if (this.#script.blobStatus !== undefined) response.writeHead(this.#script.blobStatus).end();
    else if (blob === undefined) response.writeHead(404).end();
    else this.#answerRange(digest, { blob, range: request.headers.range ?? '' }, response);
  }

  #answerRange(digest: string, { blob, range }: { readonly blob: Uint8Array; readonly range: string }, response: ServerResponse): void {
    const asked = this.#script.range === false ? null : /^bytes=(\d+)-$/.exec(range);
    const from = Number(asked?.[1] ?? 0);
    if (from >= blob.length && asked !== null) {
      response.writeHead(416).end();
      return;
    }
    const body = this.#script.range === 'wrong' && asked !== null ? blob.subarray(0, blob.length - from) : blob.subarray(from);
    response.writeHead(asked === null ? 200 : 206, {
      'content-length': String(body.length), ...(asked === null ? {} : { 'content-range': `bytes ${String(from)}-${String(blob.length - 1)}/${String(blob.length)}` }),
    });
    this.#sendBody(body, response, this.blobRequests.get(digest) === 1);
  }

  #sendBody(body: Uint8Array, response: ServerResponse, isFirst: boolean): void {
    const { bytesPerSecond, range } = this.#script;
    const cut = this.#script.cut ?? (range === 'wrong' ? 0.5 : undefined);
    if (bytesPerSecond !== undefined) {
      drip(body, bytesPerSecond, response);
      return;
    }
    const isCutNow = (typeof cut === 'number' && isFirst) || (cut === 'first only' && !this.#isCut);
    this.#isCut = true;
    const sent = isCutNow ? body.subarray(0, Math.ceil(body.length * (typeof cut === 'number' ? cut : 0.5))) : body;
    this.blobBytesSent += sent.length;
    if (!isCutNow) response.end(sent);
    else response.write(sent, () => { response.destroy(); });
  }
}

/** Ten pieces a second, until the reader is gone. */
function drip(body: Uint8Array, bytesPerSecond: number, response: ServerResponse): void {
  const piece = Math.max(1, Math.floor(bytesPerSecond / 10));
  let at = 0;
  const timer = setInterval(() => {
    response.write(body.subarray(at, at + piece));
    at += piece;
    if (at >= body.length) response.end();
    if (at >= body.length || response.destroyed) clearInterval(timer);
  }, 100);
}
