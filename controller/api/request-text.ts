/**
 * A write request as text: equal for equal requests, whatever the order of their fields and of their maps.
 *
 * @param rpc  the handler's name: two rpcs with the same fields are two requests
 */
export function requestText(rpc: string, request: object): string {
  return JSON.stringify([rpc, plain(request)]);
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return { bytes: Buffer.from(value).toString('base64') };
  }
  if (value instanceof Map) {
    return { entries: sorted([...value as ReadonlyMap<unknown, unknown>].map(([key, item]) => [String(key), plain(item)] as const)) };
  }
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (typeof value === 'object' && value !== null) {
    const present = Object.entries(value as Readonly<Record<string, unknown>>).filter(([, item]) => item !== undefined);
    return Object.fromEntries(sorted(present.map(([name, item]) => [name, plain(item)] as const)));
  }
  return value;
}

function sorted(entries: readonly (readonly [string, unknown])[]): readonly (readonly [string, unknown])[] {
  return entries.toSorted(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
}
