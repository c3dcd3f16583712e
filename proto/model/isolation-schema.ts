/** What sets a container apart from its machine: `security`, `ulimits`, `extra_hosts`, `dns`, `devices`. */
import { quoted } from './printable.ts';
import type { Parsed } from './quantity.ts';
import { isRawMap } from './raw-value.ts';
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

/** `resources.requests.devices`: of each name how many units, `2`, a share of one, `0.5`, or a share of several, `{ count: 2, share: 0.5 }`. */
export function readDeviceRequests(field: SchemaField): readonly DeviceCount[] {
  return field.entries().map(([name, entry]) => ({ name, ...readDeviceCount(entry) })).toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

function readDeviceCount(field: SchemaField): Omit<DeviceCount, 'name'> {
  if (!isRawMap(field.value)) {
    return field.parsed(parseDeviceCount) ?? { count: 1 };
  }
  field.checkKeys({ known: ['count', 'share'] });
  const milli = field.at('share').parsed(parseShare);
  return { count: field.at('count').integer(1), ...(milli === undefined ? {} : { milli }) };
}

function parseDeviceCount(text: string): Parsed<Omit<DeviceCount, 'name'>> {
  const count = Number(text);
  if (/^-?\d+$/.test(text) && Number.isSafeInteger(count)) {
    return { value: { count } };
  }
  const share = parseShare(text);
  return 'problem' in share
    ? { problem: `${quoted(text)} is neither whole units, such as 2, nor a share of one, such as 0.5; a share of several is { count: 2, share: 0.5 }` }
    : { value: { count: 1, milli: share.value } };
}

/** Thousandths of a unit of `0.5`. */
function parseShare(text: string): Parsed<number> {
  const milli = Number(text) * 1_000;
  return /^0?\.\d{1,3}$/.test(text) && milli > 0 ? { value: Math.round(milli) } : { problem: `${quoted(text)} is not a share of a unit, from 0.001 to 0.999` };
}
