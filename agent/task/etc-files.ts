import type { Task } from '#model/task.ts';
import { withOwnDns } from '../dns/resolv-conf.ts';

/** The names of a container's own /etc files in its bundle. */
export const ETC_FILES = { hostname: 'hostname', hosts: 'hosts', resolvConf: 'resolv.conf' } as const;

/** Texts of /etc/hostname, /etc/hosts and /etc/resolv.conf by their name in the bundle. Source: hosts(5), hostname(5) */
export function etcFiles(task: Task, address: string, resolvConf: string): ReadonlyMap<string, string> {
  const hostname = task.container.hostname ?? task.name;
  const hosts = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    `${address}\t${hostname}`,
    ...task.container.extraHosts.map(host => `${host.address}\t${host.name}`),
  ];
  return new Map([
    [ETC_FILES.hostname, `${hostname}\n`],
    [ETC_FILES.hosts, `${hosts.join('\n')}\n`],
    [ETC_FILES.resolvConf, withOwnDns(resolvConf, task.container.dns)],
  ]);
}
