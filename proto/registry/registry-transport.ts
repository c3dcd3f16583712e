import { createSecureContext, getCACertificates } from 'node:tls';
import { Agent, request } from 'undici';
import type { Dispatcher } from 'undici';
import { backoffMs } from '#kit/backoff.ts';
import type { Clock } from '#kit/clock.ts';
import { ClusterError } from '#model/errors.ts';
import { judgeRealm, parseChallenge, parseRetryAfter } from './challenge-parse.ts';
import type { Challenge } from './challenge-parse.ts';
import type { RegistrySettings } from './registry-settings-parse.ts';

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

export interface RegistryOptions extends RegistrySettings {
  /** Trusted besides the usual authorities. */
  readonly caPem?: string;
  /** Undefined: anonymous. */
  credentials(registry: string): Promise<RegistryCredentials | undefined>;
  readonly clock: Clock;
  /** 0 <= random < 1, for jitter. */
  readonly random: () => number;
  /** Called before each repeated request. */
  readonly onRetry?: (what: string) => void;
  /** Time for the first answer, and longest silence in a body; default 30 s and 60 s. */
  readonly answerTimeoutMs?: number;
  readonly stallTimeoutMs?: number;
}

export interface RegistryRequest {
  readonly registry: string;
  /** `repository:NAME:pull` or `...:pull,push`: what a token is asked for; empty: only whether the login is good. */
  readonly scope: string;
  /** A mirror: asked once and without the login. */
  readonly isMirror?: boolean;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  /** Path below the registry, or a whole URL from a Location header. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export type RegistryResponse = Dispatcher.ResponseData;

const MAX_TRIES = 5;
const BACKOFF = { firstMs: 1_000, maxMs: 16_000 };
/** A registry that asks for a longer wait is given up. */
const MAX_WAIT_MS = 5 * 60_000;
const MAX_REDIRECTS = 5;
const MAX_TOKEN_BYTES = 1024 * 1024;
const RETRY_STATUS = new Set([408, 429, 500, 502, 503, 504]);
const REDIRECT_STATUS = new Set([301, 302, 303, 307, 308]);
/** Where Docker Hub's API is. Source: distribution/reference, "docker.io". */
const API_HOSTS: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

/**
 * HTTP with one registry after another: tries again, authenticates, follows redirects.
 *
 * 1. GET and HEAD are tried 5 times, with back-off or as `Retry-After` says (5 min at most). 2. Credentials and tokens go to the registry's own
 * host, never along a redirect. 3. At most 5 redirects, never from https to http, never to another scheme. 4. Token realms only as `judgeRealm` says.
 */
export class RegistryTransport {
  readonly options: RegistryOptions;
  readonly #dispatcher: Agent;
  /** Authorization header by registry and scope. */
  readonly #authorizations = new Map<string, string>();

  constructor(options: RegistryOptions, dispatcher?: Agent) {
    this.options = options;
    this.#dispatcher = dispatcher ?? new Agent({
      // Frames of HTTP/2 cost more than connections do; a blob has its own.
      allowH2: false,
      headersTimeout: options.answerTimeoutMs ?? 30_000,
      bodyTimeout: options.stallTimeoutMs ?? 60_000,
      // Made once: a list of authorities would be read anew for each connection.
      connect: { timeout: 10_000, ...(options.caPem === undefined ? {} : { secureContext: createSecureContext({ ca: [...getCACertificates('default'), options.caPem] }) }) },
    });
  }

  /** The same connections with other options: tokens of one login are never used for another. */
  withOptions(options: Partial<Pick<RegistryOptions, 'credentials' | 'onRetry' | 'mirrors'>>): RegistryTransport {
    return new RegistryTransport({ ...this.options, ...options }, this.#dispatcher);
  }

  /** The answer, whatever its status but redirects and what retries cure. The caller reads or dumps its body. @throws ClusterError UNAVAILABLE, PERMISSION_DENIED */
  async send(one: RegistryRequest, signal: AbortSignal): Promise<RegistryResponse> {
    const tries = triesOf(one);
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#tryOnce(one, signal);
      const isLast = attempt >= tries;
      if (outcome.kind === 'answer' && (isLast || !RETRY_STATUS.has(outcome.response.statusCode))) {
        return outcome.response;
      }
      if (outcome.kind === 'failure' && isLast) {
        throw outcome.error;
      }
      if (outcome.kind === 'answer') await outcome.response.body.dump();
      const waitMs = this.#waitMs(one, outcome, attempt);
      this.options.onRetry?.(`${one.registry}: ${outcome.kind === 'answer' ? `status ${String(outcome.response.statusCode)}` : outcome.error.message}`);
      await this.options.clock.sleep(waitMs, signal);
    }
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  #waitMs(one: RegistryRequest, outcome: Outcome, attempt: number): number {
    const header = outcome.kind === 'answer' ? headerOf(outcome.response, 'retry-after') : undefined;
    const asked = header === undefined ? undefined : parseRetryAfter(header, this.options.clock.nowMs());
    if (asked !== undefined && asked > MAX_WAIT_MS) {
      throw new ClusterError('UNAVAILABLE', `registry ${one.registry} asks to wait ${String(Math.round(asked / 1000))} s; the wait is capped at 5 min`);
    }
    return asked ?? backoffMs(BACKOFF, attempt, 0.5 + this.options.random() / 2);
  }

  async #tryOnce(one: RegistryRequest, signal: AbortSignal): Promise<Outcome> {
    try {
      return { kind: 'answer', response: await this.#authenticated(one, signal) };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ClusterError) throw error;
      return { kind: 'failure', error: new ClusterError('UNAVAILABLE', `registry ${one.registry}: ${connectionProblem(error)}`, { cause: error }) };
    }
  }

  async #authenticated(one: RegistryRequest, signal: AbortSignal): Promise<RegistryResponse> {
    const key = `${one.registry} ${one.scope}`;
    const known = this.#authorizations.get(key);
    const first = await this.#followed(one, known, signal);
    if (first.statusCode !== 401) {
      return first;
    }
    const challenge = parseChallenge(headerOf(first, 'www-authenticate') ?? '');
    await first.body.dump();
    const authorization = await this.#authorize(one, challenge, signal);
    this.#authorizations.set(key, authorization);
    return await this.#followed(one, authorization, signal);
  }

  async #authorize(one: RegistryRequest, challenge: Challenge | undefined, signal: AbortSignal): Promise<string> {
    const credentials = one.isMirror === true ? undefined : await this.options.credentials(one.registry);
    if (challenge === undefined) {
      throw new ClusterError('PERMISSION_DENIED', `registry ${one.registry} refuses access (401) and names no way to log in`);
    }
    if (challenge.kind === 'basic') {
      if (credentials === undefined) {
        throw new ClusterError('PERMISSION_DENIED', `registry ${one.registry} asks for a login (401), and none is known`);
      }
      return basic(credentials);
    }
    const verdict = judgeRealm(challenge.realm, this.#baseOf(one.registry), this.options.tokenHosts.get(one.registry) ?? []);
    if (verdict.kind === 'refused') {
      throw new ClusterError('PERMISSION_DENIED', `registry ${one.registry}: ${verdict.reason}`);
    }
    return `Bearer ${await this.#fetchToken(one, { url: tokenUrl(verdict.url, challenge, one.scope), credentials }, signal)}`;
  }

  async #fetchToken(one: RegistryRequest, ask: { readonly url: URL; readonly credentials: RegistryCredentials | undefined }, signal: AbortSignal): Promise<string> {
    const response = await request(ask.url, {
      dispatcher: this.#dispatcher, signal, headers: ask.credentials === undefined ? {} : { authorization: basic(ask.credentials) },
    });
    if (response.statusCode !== 200) {
      await response.body.dump();
      const isDenied = response.statusCode === 401 || response.statusCode === 403;
      throw new ClusterError(isDenied ? 'PERMISSION_DENIED' : 'UNAVAILABLE', `registry ${one.registry} gives no token (status ${String(response.statusCode)})`);
    }
    const value = tokenOf((await readBody(response, MAX_TOKEN_BYTES, 'token')).toString('utf8'));
    if (value === undefined) {
      throw new ClusterError('UNAVAILABLE', `registry ${one.registry} gives no usable token`);
    }
    return value;
  }

  /** The request along its redirects; `authorization` goes to the registry's own host alone. */
  async #followed(one: RegistryRequest, authorization: string | undefined, signal: AbortSignal): Promise<RegistryResponse> {
    const base = this.#baseOf(one.registry);
    let url = new URL(one.url, base);
    for (let redirects = 0; ; redirects += 1) {
      const response = await request(url, {
        // Of itself it would close the connection after a HEAD: one that brings a body, which none may, is closed then. Source: undici, client-h1.js; RFC 9110, 9.3.2
        dispatcher: this.#dispatcher, signal, method: one.method, reset: false,
        headers: { ...one.headers, ...(authorization !== undefined && url.origin === base.origin ? { authorization } : {}) },
        ...(one.body === undefined ? {} : { body: one.body }),
      });
      const location = headerOf(response, 'location');
      if (!REDIRECT_STATUS.has(response.statusCode) || location === undefined || one.method === 'POST' || one.method === 'PUT') {
        return response;
      }
      await response.body.dump();
      url = this.#redirectTarget(one, { from: url, location, redirects });
    }
  }

  #redirectTarget(one: RegistryRequest, step: { readonly from: URL; readonly location: string; readonly redirects: number }): URL {
    const refuse = (why: string): ClusterError => new ClusterError('FAILED_PRECONDITION', `registry ${one.registry}: ${why}`);
    if (step.redirects >= MAX_REDIRECTS) {
      throw refuse(`too many redirects (${String(MAX_REDIRECTS)})`);
    }
    const target = URL.parse(step.location, step.from.href);
    if (target?.protocol === 'https:') {
      return target;
    }
    if (target?.protocol === 'http:' && step.from.protocol === 'http:' && this.options.plainRegistries.includes(target.host)) {
      return target;
    }
    throw refuse(`redirect to ${target?.protocol ?? 'no'} URL refused`);
  }

  #baseOf(registry: string): URL {
    return new URL(`${this.options.plainRegistries.includes(registry) ? 'http' : 'https'}://${API_HOSTS[registry] ?? registry}/`);
  }
}

type Outcome =
  | { readonly kind: 'answer'; readonly response: RegistryResponse }
  | { readonly kind: 'failure'; readonly error: ClusterError };

/** What writes is tried once, and so is a mirror: the registry itself comes next. */
function triesOf({ method, isMirror }: RegistryRequest): number {
  return (method === 'GET' || method === 'HEAD') && isMirror !== true ? MAX_TRIES : 1;
}

export function headerOf(response: RegistryResponse, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** A whole body of at most `maxBytes`. @throws ClusterError FAILED_PRECONDITION when longer */
export async function readBody(response: RegistryResponse, maxBytes: number, what: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response.body as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > maxBytes) {
      throw new ClusterError('FAILED_PRECONDITION', `${what} over ${maxBytes >= 2 ** 20 ? `${String(maxBytes / 2 ** 20)} MiB` : `${String(maxBytes)} bytes`}`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Source: distribution, "Token Authentication Specification": `token`, or `access_token` as OAuth 2.0 names it. */
function tokenOf(text: string): string | undefined {
  try {
    const { token, access_token: accessToken } = Object(JSON.parse(text)) as { readonly token?: unknown; readonly access_token?: unknown };
    const value = token ?? accessToken;
    return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : undefined;
  } catch {
    // No JSON: no token.
    return undefined;
  }
}

function tokenUrl(realm: URL, challenge: Challenge & { kind: 'bearer' }, scope: string): URL {
  const url = new URL(realm.href);
  if (challenge.service !== undefined) url.searchParams.set('service', challenge.service);
  const wanted = challenge.scope ?? scope;
  if (wanted !== '') url.searchParams.set('scope', wanted);
  return url;
}

function basic({ username, password }: RegistryCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** What a person can act on: the innermost code, such as ECONNREFUSED or a certificate's problem. */
export function connectionProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  const inner = error instanceof AggregateError ? error.errors.map(connectionProblem).join(', ') : error.message;
  return code === undefined || inner.includes(code) ? inner : `${inner} (${code})`;
}
