import { ClusterError } from '#model/errors.ts';
import { isTag } from '#model/image-reference.ts';
import { htmlHint } from './html-hint-rules.ts';

/** `WWW-Authenticate` of registries. Source: RFC 9110 section 11.6.1; distribution, "Token Authentication Specification". */
export type Challenge =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: string; readonly service?: string; readonly scope?: string };

const PARAMETER = /\s*,?\s*([a-zA-Z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;

/** The first challenge of a known scheme; undefined when there is none. */
export function parseChallenge(header: string): Challenge | undefined {
  const scheme = /^\s*(basic|bearer)(?:\s+|$)/i.exec(header);
  if (scheme === null) {
    return undefined;
  }
  if (scheme[1]?.toLowerCase() === 'basic') {
    return { kind: 'basic' };
  }
  const parameters = parseParameters(header, scheme[0].length);
  const realm = parameters.get('realm');
  const service = parameters.get('service');
  const scope = parameters.get('scope');
  return realm === undefined ? undefined : {
    kind: 'bearer', realm, ...(service === undefined ? {} : { service }), ...(scope === undefined ? {} : { scope }),
  };
}

function parseParameters(header: string, from: number): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  PARAMETER.lastIndex = from;
  for (let match = PARAMETER.exec(header); match !== null; match = PARAMETER.exec(header)) {
    parameters.set((match[1] ?? '').toLowerCase(), match[2]?.replaceAll(/\\(.)/g, '$1') ?? match[3] ?? '');
  }
  return parameters;
}

/** Registries whose tokens come from another host. Source: the challenges these registries send. */
const TOKEN_HOSTS: Readonly<Record<string, string>> = { 'registry-1.docker.io': 'auth.docker.io', 'registry.gitlab.com': 'gitlab.com' };

export type RealmVerdict = { readonly kind: 'allowed'; readonly url: URL } | { readonly kind: 'refused'; readonly reason: string };

/** Whether a token may be asked for at `realm`: the registry's own host, its known token host or one of `allowed`, by TLS unless the registry itself is plain. */
export function judgeRealm(realm: string, registry: URL, allowed: readonly string[]): RealmVerdict {
  const url = URL.parse(realm);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return { kind: 'refused', reason: 'token realm is no http URL' };
  }
  if (url.hostname !== registry.hostname && url.host !== TOKEN_HOSTS[registry.host] && !allowed.includes(url.host)) {
    return { kind: 'refused', reason: `token realm host ${url.host} not allowed (--token-hosts allows one)` };
  }
  if (url.protocol === 'http:' && registry.protocol === 'https:') {
    return { kind: 'refused', reason: 'token realm without TLS not allowed' };
  }
  return { kind: 'allowed', url };
}

/** Milliseconds a `Retry-After` asks to wait; undefined when it says nothing that makes sense. Source: RFC 9110 section 10.2.3. */
export function parseRetryAfter(header: string, nowMs: number): number | undefined {
  if (/^\d{1,12}$/.test(header)) {
    return Number(header) * 1000;
  }
  const at = /^[A-Za-z]{3,}/.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(at) || at <= nowMs ? undefined : at - nowMs;
}

/** First byte and total of `Content-Range: bytes 5-9/10`. Source: RFC 9110 section 14.4. */
export function parseContentRange(header: string): { readonly first: number; readonly total?: number } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/.exec(header);
  return match === null ? undefined : { first: Number(match[1]), ...(match[3] === undefined ? {} : { total: Number(match[3]) }) };
}

/** The relative address of the next page, of `Link: </v2/...>; rel="next"`. Source: OCI distribution-spec, "Listing Tags"; RFC 5988. */
export function parseNextLink(header: string): string | undefined {
  const target = /^\s*<([^>]+)>\s*;\s*rel="?next"?/i.exec(header)?.[1];
  // Another host has no business in a list of tags.
  return target !== undefined && /^\/v2\/[^\s]*$/.test(target) ? target : undefined;
}

/** The tags of one page. @throws ClusterError FAILED_PRECONDITION when it is none */
export function parseTagList(bytes: Uint8Array): readonly string[] {
  try {
    const { tags } = Object(JSON.parse(Buffer.from(bytes).toString('utf8'))) as { readonly tags?: unknown };
    if (tags === null || tags === undefined) return [];
    if (Array.isArray(tags)) return tags.filter((tag: unknown): tag is string => typeof tag === 'string' && isTag(tag));
  } catch {
    // Told below, like a list of another shape.
  }
  throw new ClusterError('FAILED_PRECONDITION', `tag list is not {"tags":[...]}${htmlHint(bytes)}`);
}
