/** Ports, config and secret files, and volumes of a service: short and long forms. */
import { quoted } from './printable.ts';
import { parseMemory } from './quantity.ts';
import type { Parsed } from './quantity.ts';
import type { KeyTable, SchemaField } from './schema-field.ts';
import type { FileMount, PublishedPort, VolumeMount } from './service.ts';

const PORT_KEYS: KeyTable = { known: ['published', 'target', 'protocol', 'mode', 'allow_from'] };
const FILE_KEYS: KeyTable = { known: ['source', 'target', 'uid', 'gid', 'mode'] };
const VOLUME_KEYS: KeyTable = { known: ['type', 'source', 'target', 'size', 'read_only'] };

const CONFIG_MODE = 0o444;
const SECRET_MODE = 0o400;
const DEFAULT_TMPFS_BYTES = 64 * 2 ** 20;

export function readPorts(field: SchemaField): readonly PublishedPort[] {
  return field.items().flatMap(item => (isScalar(item) ? item.parsed(parseShortPort) ?? [] : readLongPort(item)));
}

/** `80:8080`, `8080` (published nowhere), either with `/tcp` or `/udp`. */
export function parseShortPort(text: string): Parsed<PublishedPort> {
  const match = /^(?:(\d+):)?(\d+)(?:\/(tcp|udp))?$/.exec(text);
  if (match === null) {
    return { problem: `${quoted(text)} is not published:target, such as "80:8080" or "53:53/udp"` };
  }
  const [, published, target, protocol] = match;
  return {
    value: {
      ...(published === undefined ? {} : { published: Number(published) }),
      target: Number(target),
      protocol: protocol === 'udp' ? 'udp' : 'tcp',
      mode: 'ingress',
      allowFrom: [],
    },
  };
}

function readLongPort(item: SchemaField): PublishedPort {
  item.checkKeys(PORT_KEYS);
  item.at('target').require();
  const published = item.at('published');
  return {
    ...(published.isPresent ? { published: published.integer(1) } : {}),
    target: item.at('target').integer(1),
    protocol: item.at('protocol').choice({ words: ['tcp', 'udp'] }, 'tcp'),
    mode: item.at('mode').choice({ words: ['ingress', 'host'] }, 'ingress'),
    allowFrom: item.at('allow_from').texts(),
  };
}

export function readConfigMounts(field: SchemaField): readonly FileMount[] {
  return field.items().map(item => readFileMount(item, '/', CONFIG_MODE));
}

export function readSecretMounts(field: SchemaField): readonly FileMount[] {
  return field.items().map(item => readFileMount(item, '/run/secrets/', SECRET_MODE));
}

/** Octal text, whether YAML took it for a number or not: YAML 1.2 reads `0444` as decimal. */
export function parseMode(text: string): Parsed<number> {
  return /^[0-7]{1,5}$/.test(text) && Number.parseInt(text, 8) <= 0o7777
    ? { value: Number.parseInt(text, 8) }
    : { problem: `${quoted(text)} is not an octal mode such as 0444` };
}

function readFileMount(item: SchemaField, directory: string, mode: number): FileMount {
  if (isScalar(item)) {
    const name = item.text() ?? '';
    return { source: name, target: directory + name, mode };
  }
  item.checkKeys(FILE_KEYS);
  const source = item.at('source').requiredText();
  const uid = item.at('uid');
  const gid = item.at('gid');
  return {
    source,
    target: item.at('target').text() ?? directory + source,
    mode: item.at('mode').parsed(parseMode) ?? mode,
    ...(uid.isPresent ? { uid: uid.integer(0) } : {}),
    ...(gid.isPresent ? { gid: gid.integer(0) } : {}),
  };
}

export function readVolumeMounts(field: SchemaField): readonly VolumeMount[] {
  return field.items().flatMap(item => (isScalar(item) ? item.parsed(parseShortVolume) ?? [] : readLongVolume(item)));
}

/** `name:/path`, with `:ro` or `:rw`; a source with a slash or a dot is a path of the host. */
export function parseShortVolume(text: string): Parsed<VolumeMount> {
  const [source = '', target, access = 'rw', ...rest] = text.split(':');
  if (source === '' || target === undefined || rest.length > 0 || (access !== 'ro' && access !== 'rw')) {
    return { problem: `${quoted(text)} is not name:/path or name:/path:ro` };
  }
  const readOnly = access === 'ro';
  return { value: /[/.~]/.test(source) ? { kind: 'bind', hostPath: source, target, readOnly } : { kind: 'volume', source, target, readOnly } };
}

function readLongVolume(item: SchemaField): VolumeMount {
  item.checkKeys(VOLUME_KEYS);
  const kind = item.at('type').choice({ words: ['volume', 'bind', 'tmpfs'] }, 'volume');
  const target = item.at('target').requiredText();
  const readOnly = item.at('read_only').boolean(false);
  switch (kind) {
    case 'tmpfs':
      refuseKey(item, 'source', 'a tmpfs has no source');
      return { kind, target, sizeBytes: item.at('size').parsed(parseMemory) ?? DEFAULT_TMPFS_BYTES };
    case 'bind':
      refuseKey(item, 'size', 'only a tmpfs has a size here');
      return { kind, hostPath: item.at('source').requiredText(), target, readOnly };
    case 'volume':
      refuseKey(item, 'size', 'only a tmpfs has a size here; a volume has it where it is declared');
      return { kind, source: item.at('source').requiredText(), target, readOnly };
  }
}

function refuseKey(item: SchemaField, key: string, why: string): void {
  if (item.at(key).isPresent) {
    item.at(key).complain(why);
  }
}

function isScalar(item: SchemaField): boolean {
  return typeof item.value === 'string' || (typeof item.value === 'object' && 'text' in item.value);
}
