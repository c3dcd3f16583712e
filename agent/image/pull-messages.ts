/** What the agent and its pull thread say to each other. */
import type { Digest } from '#model/digest.ts';
import type { ErrorCode } from '#model/errors.ts';
import type { LocalImage, PullProgress } from './ports.ts';
import type { Platform } from './manifest.ts';

/** Given to the thread at its start. */
export interface PullWorkerSettings {
  readonly statePath: string;
  /** Of temporary names; unique to this start of the thread. */
  readonly prefix: string;
  readonly platform: Platform;
  /** Layers unpacked at once. */
  readonly concurrency: number;
  readonly idleMs: number;
  readonly caPem?: string;
  readonly plainRegistries: readonly string[];
}

export interface PullCredentials {
  readonly username: string;
  readonly password: string;
}

export type PullCommand =
  | { readonly kind: 'pull'; readonly id: number; readonly image: string; readonly digest: Digest; readonly credentials?: PullCredentials }
  | { readonly kind: 'abort'; readonly id: number };

export type PullReport =
  | { readonly kind: 'progress'; readonly id: number; readonly progress: PullProgress }
  | { readonly kind: 'done'; readonly id: number; readonly image: LocalImage }
  | { readonly kind: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string };
