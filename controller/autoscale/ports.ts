import type { ClusterUsage } from '#model/usage.ts';

/** What a query of a metric came to. A problem is a sentence that stays the same while its cause does. */
export type QueryAnswer = { readonly kind: 'value'; readonly value: number } | { readonly kind: 'problem'; readonly message: string };

/** Where autoscaling looks. */
export interface Measures {
  /** What tasks used lately; undefined where nobody reports it. */
  readonly usage: () => ClusterUsage | undefined;
  /** Asks once, within a few seconds; rejects only when `signal` aborts. Absent: no Prometheus is configured. */
  readonly query?: (query: string, signal: AbortSignal) => Promise<QueryAnswer>;
}
