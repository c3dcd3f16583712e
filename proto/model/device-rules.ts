/** What must hold of device nodes, named devices and name servers that a container asks for. */
import { WHOLE } from './device-share.ts';
import type { Violation } from './errors.ts';
import { isLabel } from './ids.ts';
import { isCleanHostPath } from './namespace.ts';
import { isIpv4, isIpv6 } from './network-address.ts';
import { quoted } from './printable.ts';
import { checkRange } from './range-rules.ts';
import type { ContainerSpec } from './service.ts';

/** What every container's /dev has. Source: OCI runtime-spec, config-linux.md, "Default Devices" */
const OWN_DEVICES = /^\/dev\/(?:null|zero|full|random|urandom|tty|console|ptmx|fd|stdin|stdout|stderr|core|(?:pts|shm|mqueue)(?:\/.*)?)$/;
const DEVICE_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?(?:\/[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?)?$/;
const MAX_DEVICES = 64;
/** Of one named device, on a node. */
export const MAX_DEVICE_UNITS = 1_024;
/** Source: resolv.conf(5): MAXNS; more are never asked. The cluster's own is one of them. */
const MAX_SERVERS = 2;
const MAX_SEARCH = 6;
const DNS_OPTION = /^[a-z][a-z0-9-]{0,30}(?::\d{1,5})?$/;

/** True for a name that nodes may declare devices under: `nvidia.com/gpu`, `fpga`. */
export function isDeviceName(text: string): boolean {
  return DEVICE_NAME.test(text);
}

export function checkDevices(container: ContainerSpec, path: string): readonly Violation[] {
  const targets = container.devices.map(device => device.target);
  return [
    ...(container.devices.length > MAX_DEVICES ? [{ path: `${path}.devices`, message: `at most ${String(MAX_DEVICES)} devices` }] : []),
    ...container.devices.flatMap(({ hostPath, target }, index) => {
      const problem = findDeviceProblem(hostPath, target) ?? (targets.indexOf(target) < index ? `${quoted(target)} is named twice` : undefined);
      return problem === undefined ? [] : [{ path: `${path}.devices[${String(index)}]`, message: problem }];
    }),
    ...container.deviceRequests.flatMap(({ name, count, milli }) => (isDeviceName(name)
      ? [
        ...checkRange(count, `${path}.resources.requests.devices.${name}`, 1, MAX_DEVICE_UNITS),
        ...(milli === undefined ? [] : checkRange(milli, `${path}.resources.requests.devices.${name}.share`, 1, WHOLE - 1)),
      ]
      : [{ path: `${path}.resources.requests.devices`, key: name, message: `invalid name ${quoted(name)}; devices are named like nvidia.com/gpu` }])),
  ];
}

function findDeviceProblem(hostPath: string, target: string): string | undefined {
  const bad = [hostPath, target].find(one => !isCleanHostPath(one) || !one.startsWith('/dev/'));
  if (bad !== undefined) {
    return `${quoted(bad)} must be a clean path below /dev`;
  }
  return OWN_DEVICES.test(target) ? `${quoted(target)} is there in every container` : undefined;
}

export function checkDns({ dns }: ContainerSpec, path: string): readonly Violation[] {
  const at = (list: keyof typeof dns, index: number): string => `${path}.${list}[${String(index)}]`;
  return [
    ...(dns.servers.length > MAX_SERVERS ? [{ path: `${path}.servers`, message: `at most ${String(MAX_SERVERS)}: a resolver asks three, and the cluster's own is one` }] : []),
    ...dns.servers.flatMap((server, index) => (isIpv4(server) || isIpv6(server) ? [] : [{ path: at('servers', index), message: `${quoted(server)} is not an IP address` }])),
    ...(dns.search.length > MAX_SEARCH ? [{ path: `${path}.search`, message: `at most ${String(MAX_SEARCH)} domains` }] : []),
    ...dns.search.flatMap((domain, index) => (domain.length <= 253 && domain.split('.').every(isLabel) ? [] : [{ path: at('search', index), message: `${quoted(domain)} is not a domain name` }])),
    ...dns.options.flatMap((option, index) => (DNS_OPTION.test(option) ? [] : [{ path: at('options', index), message: `${quoted(option)} is not an option such as ndots:1 or rotate` }])),
  ];
}
