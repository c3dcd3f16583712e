/** Where a Prometheus is asked. */

/** What an address of a Prometheus is, for a message that refuses another. */
export const PROMETHEUS_URL = 'http:// or https:// with a host, and a path where it has one; no user, query or fragment';

/** True for what its query API can be reached below. */
export function isPrometheusUrl(text: string): boolean {
  return /^https?:\/\/[^/\s?#@]+(?:\/[^\s?#]*)?$/.test(text) && URL.canParse(text);
}
