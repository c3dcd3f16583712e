import path from 'node:path';
import type { KeyPair } from '#identity/certificate-authority.ts';
import { AskedProcess } from './asked-process.ts';
import type { Answer } from './asked-process.ts';

export type CrowdQuestion =
  | { readonly kind: 'make'; readonly addresses: readonly string[]; readonly authority: KeyPair; readonly count: number }
  /** `break`: each node closes its connection, and dials anew. */
  | { readonly kind: 'join' | 'is-away' | 'is-there' | 'break' | 'take-round-trips' | 'counts' }
  | { readonly kind: 'has-endpoints'; readonly generation: number }
  /** Of one App, so many tasks are assigned, none of them to be stopped. */
  | { readonly kind: 'has-tasks'; readonly app: string; readonly count: number }
  /** As many as were asked for run in all, and their statuses are acknowledged. */
  | { readonly kind: 'runs'; readonly count: number };

export interface CrowdAnswer extends Answer {
  readonly roundTripsMs?: readonly number[];
  readonly sets?: number;
  readonly changes?: number;
  readonly gaps?: number;
  readonly running?: number;
  /** By the wall clock: when the first task came. */
  readonly firstAtMs?: number;
}

/** Nodes that are their sessions, and tasks without processes, in one process. */
export class Crowd extends AskedProcess<CrowdQuestion, CrowdAnswer> {
  constructor() {
    super('crowd', path.join(import.meta.dirname, 'crowd-process.ts'));
  }
}
