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

/** More than there are, and longer than their names are; an agent may be newer than this controller. */
const MAX_CAPABILITIES = 128;
const CAPABILITY_NAME = /^[a-z][a-z0-9-]{0,63}$/;

/** Names of what a session's agent can do, few and short. */
export function boundedCapabilities(names: readonly string[]): readonly string[] {
  return [...new Set(names.filter(name => CAPABILITY_NAME.test(name)).slice(0, MAX_CAPABILITIES))].sort();
}

export function isSameHealth(left: NodeHealth, right: NodeHealth): boolean {
  return left.hasDeadman === right.hasDeadman && left.networkFault === right.networkFault && left.listeningPorts.join() === right.listeningPorts.join();
}
