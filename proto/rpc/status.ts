import { Metadata, status } from '@grpc/grpc-js';
import type { ServiceError, StatusObject } from '@grpc/grpc-js';
import { ErrorDetail } from '#gen/gantry/v1/control.ts';
import { ClusterError, ERROR_CODES } from '#model/errors.ts';
import type { ErrorCode, Violation } from '#model/errors.ts';
import { explainConnectionFailure } from './connection-failure-parse.ts';

const CODE_HEADER = 'gantry-code';
const VIOLATIONS_HEADER = 'gantry-violations-bin';
/** Headers hold 16 KiB at most (reliability 10); base64 adds a third. */
const MAX_VIOLATIONS_BYTES = 8_192;
const MAX_MESSAGE_CHARACTERS = 2_000;

/** One row a code; forgetting one does not compile. */
export const STATUS_OF = {
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  NOT_FOUND: status.NOT_FOUND,
  ALREADY_EXISTS: status.ALREADY_EXISTS,
  CONFLICT: status.ABORTED,
  FAILED_PRECONDITION: status.FAILED_PRECONDITION,
  RESOURCE_EXHAUSTED: status.RESOURCE_EXHAUSTED,
  OUT_OF_RANGE: status.OUT_OF_RANGE,
  UNAUTHENTICATED: status.UNAUTHENTICATED,
  PERMISSION_DENIED: status.PERMISSION_DENIED,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  UNAVAILABLE: status.UNAVAILABLE,
  INTERNAL: status.INTERNAL,
} satisfies Record<ErrorCode, status>;

/** For statuses that gRPC itself makes; those it has no row for are bugs of either side. */
const CODE_OF: ReadonlyMap<status, ErrorCode> = new Map([
  ...ERROR_CODES.map(code => [STATUS_OF[code], code] as const),
  [status.CANCELLED, 'UNAVAILABLE'],
  [status.UNIMPLEMENTED, 'FAILED_PRECONDITION'],
]);

/**
 * What the wire carries for `error`. A ClusterError keeps its code, message and as many violations as fit;
 * anything else is a bug, so the caller learns only INTERNAL (the message may hold secrets).
 */
export function toStatus(error: unknown): StatusObject {
  const known = error instanceof ClusterError ? error : new ClusterError('INTERNAL', 'internal error');
  const metadata = new Metadata();
  metadata.set(CODE_HEADER, known.code);
  if (known.violations.length > 0) {
    metadata.set(VIOLATIONS_HEADER, encodeViolations(known.violations));
  }
  return { code: STATUS_OF[known.code], details: known.message.slice(0, MAX_MESSAGE_CHARACTERS), metadata };
}

/** Where a call went; `ownProblem` says what is wrong with our certificate, if anything. */
export interface CallTarget {
  readonly address: string;
  readonly ownProblem?: () => string | undefined;
}

/** The ClusterError that `toStatus` was given, or the best name for a failure of the connection. */
export function fromStatus(error: ServiceError, target: CallTarget): ClusterError {
  const header = error.metadata.get(CODE_HEADER)[0];
  const code = ERROR_CODES.find(known => known === header);
  if (code !== undefined) {
    return new ClusterError(code, error.details, { violations: decodeViolations(error.metadata), cause: error });
  }
  const fallback = CODE_OF.get(error.code) ?? 'INTERNAL';
  const message = fallback === 'UNAVAILABLE' ? explainConnectionFailure(target.address, error.details, target.ownProblem?.()) : error.details;
  return new ClusterError(fallback, message, { cause: error });
}

function encodeViolations(violations: readonly Violation[]): Buffer {
  let count = violations.length;
  let bytes = ErrorDetail.encode({ violations }).finish();
  while (bytes.length > MAX_VIOLATIONS_BYTES && count > 0) {
    count = Math.floor(count / 2);
    bytes = ErrorDetail.encode({ violations: violations.slice(0, count) }).finish();
  }
  return Buffer.from(bytes);
}

function decodeViolations(metadata: Metadata): readonly Violation[] {
  const bytes = metadata.get(VIOLATIONS_HEADER)[0];
  return Buffer.isBuffer(bytes) ? ErrorDetail.decode(bytes).violations : [];
}
