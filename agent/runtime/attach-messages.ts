/** What the agent and its attach worker tell each other. `key` names one attachment. */

export type AttachCommand =
  | { readonly kind: 'open'; readonly key: number; readonly path: string }
  | { readonly kind: 'write'; readonly key: number; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly key: number }
  /** The consumer took a chunk: one more may come. */
  | { readonly kind: 'taken'; readonly key: number }
  | { readonly kind: 'close'; readonly key: number };

export type AttachReport =
  | { readonly kind: 'opened'; readonly key: number }
  | { readonly kind: 'failed'; readonly key: number; readonly message: string }
  | { readonly kind: 'data'; readonly key: number; readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  | { readonly kind: 'written'; readonly key: number }
  | { readonly kind: 'closed'; readonly key: number };
