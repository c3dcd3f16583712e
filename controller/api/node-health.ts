/** The health of a node as its sessions say it, before it is stored. */
import type { NodeHealth } from '#model/session.ts';
import { boundedText } from '../store/bounded-text.ts';

/** More than an agent says of a fault. */
const MAX_FAULT_BYTES = 512;

/** As many as an agent sends. */
const MAX_LISTENING_PORTS = 512;

/** Takes the health from a message, and cuts its texts to their maximum size. */
export function healthOf({ hasDeadman, networkFault, listeningPorts }: NodeHealth): NodeHealth {
  const ports = listeningPorts.filter(port => /^(?:tcp|udp)\/\d{1,5}$/.test(port)).slice(0, MAX_LISTENING_PORTS);
  return { hasDeadman, networkFault: boundedText(networkFault, MAX_FAULT_BYTES), listeningPorts: [...new Set(ports)].sort() };
}

export function isSameHealth(left: NodeHealth, right: NodeHealth): boolean {
  return left.hasDeadman === right.hasDeadman && left.networkFault === right.networkFault && left.listeningPorts.join() === right.listeningPorts.join();
}
