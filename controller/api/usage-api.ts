/** What tasks use now, as far as this replica heard. */
import type { ControlHandlers } from '#model/ports.ts';
import { requireRole } from './access.ts';
import type { UsageSource } from './ports.ts';

export interface UsageParts {
  /** Absent without `--nats`. */
  readonly usage: UsageSource | undefined;
}

export function createUsageApi({ usage }: UsageParts): Pick<ControlHandlers, 'usage'> {
  return {
    usage(peer) {
      requireRole(peer, 'operator');
      return Promise.resolve(usage?.now() ?? { isNatsConnected: false, tasks: [] });
    },
  };
}
