import path from 'node:path';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { AskedProcess } from './asked-process.ts';
import type { Answer } from './asked-process.ts';

export type WatchersQuestion =
  | { readonly kind: 'watch'; readonly addresses: readonly string[]; readonly identity: TlsIdentity; readonly count: number }
  /** Each has seen a view with so many running tasks. */
  | { readonly kind: 'see'; readonly running: number }
  | { readonly kind: 'counts' };

export interface WatchersAnswer extends Answer {
  /** Of all of them. */
  readonly views?: number;
  readonly failures?: number;
  readonly lastFailure?: string;
  /** Of the newest view of each. */
  readonly running?: readonly number[];
}

/** Clients that watch everything, each with a connection of its own, in one process. */
export class Watchers extends AskedProcess<WatchersQuestion, WatchersAnswer> {
  constructor() {
    super('watchers', path.join(import.meta.dirname, 'watchers-process.ts'));
  }
}
