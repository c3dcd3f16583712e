/**
 * Expected failures, with a closed set of codes named after gRPC's.
 *
 * A refusal is a value, an expected failure is a ClusterError, a bug is a plain Error.
 */
export const ERROR_CODES = [
  'INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS', 'CONFLICT', 'FAILED_PRECONDITION', 'RESOURCE_EXHAUSTED',
  'OUT_OF_RANGE', 'UNAUTHENTICATED', 'PERMISSION_DENIED', 'DEADLINE_EXCEEDED', 'UNAVAILABLE', 'INTERNAL',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** One broken rule of an input. `path` is `services.web.ports[0].published`, from the root of one App. */
export interface Violation {
  readonly path: string;
  /** What is wrong, what would be right; one line, no full stop. */
  readonly message: string;
  /** The key of the mapping at `path` that is itself wrong; it stands in no path, only in the message. */
  readonly key?: string;
}

export class ClusterError extends Error {
  override readonly name = 'ClusterError';
  readonly code: ErrorCode;
  /** Empty unless `code` is INVALID_ARGUMENT about an App. */
  readonly violations: readonly Violation[];

  constructor(code: ErrorCode, message: string, options: { readonly cause?: unknown; readonly violations?: readonly Violation[] } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.violations = options.violations ?? [];
  }
}

const RETRYABLE: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'CONFLICT', 'RESOURCE_EXHAUSTED']);

/** True when the same call may succeed later without a change by the caller. */
export function isRetryable(error: unknown): boolean {
  return error instanceof ClusterError && RETRYABLE.has(error.code);
}

export function isClusterError(error: unknown, code: ErrorCode): error is ClusterError {
  return error instanceof ClusterError && error.code === code;
}
