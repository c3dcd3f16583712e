/** What sets a container apart from its machine: `security`, `ulimits`, `extra_hosts`, `dns`, `devices`. */
import { quoted } from './printable.ts';
import type { Parsed } from './quantity.ts';
import type { KeyTable, SchemaField } from './schema-field.ts';
import { HOST_NAMESPACES, SECURITY_PROFILES, SIDECAR_NAMESPACES } from './service.ts';
import type { ContainerSpec, DeviceCount, DeviceMount, DnsSpec, HostNamespace, SecurityProfile, SecuritySpec } from './service.ts';

const SECURITY_KEYS: KeyTable = {
  known: ['profile', 'user', 'read_only', 'cap_drop', 'cap_add', 'no_new_privileges', 'seccomp', ...HOST_NAMESPACES],
};
const DNS_KEYS: KeyTable = { known: ['servers', 'search', 'options'] };
const DEFAULT_ACCESS = 'rwm';
const BY_SIDECAR = 'sidecar:';

export function readSecurity(field: SchemaField, fallback: SecurityProfile): SecuritySpec {
  field.checkKeys(SECURITY_KEYS);
  const profile = field.at('profile').choice({ words: SECURITY_PROFILES }, fallback);
  const user = field.at('user').source();
  const places = new Map(HOST_NAMESPACES.map(name => [name, readNamespace(field.at(name), name)]));
  const sidecarNamespaces = SIDECAR_NAMESPACES.flatMap(namespace => {
    const place = places.get(namespace) ?? 'private';
    return place.startsWith(BY_SIDECAR) ? [{ namespace, sidecar: place.slice(BY_SIDECAR.length) }] : [];
  });
  return {
    profile,
    ...(user === undefined ? {} : { user }),
    readOnly: field.at('read_only').boolean(profile === 'restricted'),
    capAdd: field.at('cap_add').texts().map(bareCapability),
    capDrop: field.at('cap_drop').texts().map(bareCapability),
    hostNamespaces: HOST_NAMESPACES.filter(name => places.get(name) === 'host'),
    ...(sidecarNamespaces.length === 0 ? {} : { sidecarNamespaces }),
    mayGainPrivileges: !field.at('no_new_privileges').boolean(true),
    isUnconfined: field.at('seccomp').choice({ words: ['default', 'unconfined'] }, 'default') === 'unconfined',
  };
}

/** `private`, `host` or `sidecar:NAME`. */
function readNamespace(field: SchemaField, name: HostNamespace): string {
  const text = field.text();
  if (text?.startsWith(BY_SIDECAR) !== true) {
    return field.choice({ words: ['private', 'host'] }, 'private');
  }
  if (SIDECAR_NAMESPACES.some(one => one === name)) {
    return text;
  }
  field.complain('all containers of a task have the same one: leave it private');
  return 'private';
}

function bareCapability(name: string): string {
  return name.replace(/^CAP_/, '');
}

/** `nofile: 65536` or `nofile: { soft, hard }`; sorted by name. */
export function readUlimits(field: SchemaField): ContainerSpec['ulimits'] {
  const ulimits = field.entries().map(([name, entry]) => {
    if (typeof entry.value === 'object' && 'text' in entry.value) {
      const both = entry.integer(0);
      return { name, soft: both, hard: both };
    }
    entry.checkKeys({ known: ['soft', 'hard'] });
    return { name, soft: entry.at('soft').integer(0), hard: entry.at('hard').integer(0) };
  });
  return ulimits.toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

export function readExtraHosts(field: SchemaField): ContainerSpec['extraHosts'] {
  return field.items().flatMap(item => {
    const text = item.text() ?? '';
    const colon = text.indexOf(':');
    if (colon < 1) {
      item.complain('must be name:address');
      return [];
    }
    return [{ name: text.slice(0, colon), address: text.slice(colon + 1) }];
  });
}

export function readDns(field: SchemaField): DnsSpec {
  field.checkKeys(DNS_KEYS);
  return { servers: field.at('servers').texts(), search: field.at('search').texts(), options: field.at('options').texts() };
}

export function readDevices(field: SchemaField): readonly DeviceMount[] {
  return field.items().flatMap(item => item.parsed(parseDevice) ?? []);
}

/** `/dev/fuse`, `/dev/fuse:/dev/mine`, `/dev/fuse:/dev/mine:rw`. */
export function parseDevice(text: string): Parsed<DeviceMount> {
  const [hostPath = '', target = hostPath, access = DEFAULT_ACCESS, ...rest] = text.split(':');
  const isAccess = /^r?w?m?$/.test(access) && access !== '';
  return rest.length === 0 && isAccess && hostPath !== ''
    ? { value: { hostPath, target, access } }
    : { problem: `${quoted(text)} is not a device such as /dev/fuse, /dev/fuse:/dev/fuse or /dev/fuse:/dev/fuse:rw` };
}

/** `resources.requests.devices`: how many of each name. */
export function readDeviceRequests(field: SchemaField): readonly DeviceCount[] {
  return field.entries().map(([name, count]) => ({ name, count: count.integer(1) })).toSorted((left, right) => (left.name < right.name ? -1 : 1));
}
