/** The health of a node as its sessions say it, before it is stored. */
import type { NodeHealth } from '#model/session.ts';
import { boundedText } from '../store/bounded-text.ts';

/** More than an agent says of a fault. */
const MAX_FAULT_BYTES = 512;

/** Takes the health from a message, and cuts its texts to their maximum size. */
export function healthOf({ hasDeadman, networkFault }: NodeHealth): NodeHealth {
  return { hasDeadman, networkFault: boundedText(networkFault, MAX_FAULT_BYTES) };
}
