import { ClusterError } from '#model/errors.ts';
import type { Violation } from '#model/errors.ts';

/** @throws ClusterError INVALID_ARGUMENT with all of them, where there are any */
export function requireValid(violations: readonly Violation[]): void {
  const [first] = violations;
  if (first !== undefined) {
    const more = violations.length === 1 ? '' : ` (and ${String(violations.length - 1)} more)`;
    throw new ClusterError('INVALID_ARGUMENT', `${first.path}: ${first.message}${more}`, { violations });
  }
}
