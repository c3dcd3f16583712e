/** The value with its maps as objects sorted by key and its bytes in base64: what JSON can say. */
export function toPlain(value: unknown): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value as ReadonlyMap<unknown, unknown>].map(([key, one]) => [String(key), toPlain(one)] as const).toSorted(([left], [right]) => (left < right ? -1 : 1)));
  }
  if (value instanceof Uint8Array) {
    return Buffer.from(value).toString('base64');
  }
  if (Array.isArray(value)) {
    return value.map(toPlain);
  }
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, toPlain(one)])) : value;
}
