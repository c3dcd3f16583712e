/** `--add-node` text -> a node that is not there. */
import type { AddedNode } from '#model/cluster-plan.ts';
import { isDeviceName } from '#model/device-rules.ts';
import { parseNodeId } from '#model/ids.ts';
import { nearestWord } from '#model/nearest-word.ts';
import { quoted } from '#model/printable.ts';
import { parseCpu, parseMemory } from '#model/quantity.ts';
import type { Parsed } from '#model/quantity.ts';
import { UsageError } from './options.ts';

/**
 * `name=n9,cpu=4,memory=8Gi,disk=100Gi,pids=4096,device=nvidia.com/gpu:2,taint=spot,runtime=runc,zone=b`: any other key is a label, unless
 * it looks like one of these (`mem`, `cpus`), and so is one after `label.`, as in `label.disk=ssd`. Devices, taints and runtimes may be repeated.
 *
 * @throws UsageError naming the part
 */
export function parseAddedNode(text: string): AddedNode {
  const pairs = text.split(',').map(part => {
    const equals = part.indexOf('=');
    if (equals < 1) {
      throw new UsageError(`--add-node ${quoted(part)}: write KEY=VALUE, as in name=n9,cpu=4,memory=8Gi,zone=b`);
    }
    return [part.slice(0, equals), part.slice(equals + 1)] as const;
  });
  const all = (key: string): readonly string[] => pairs.filter(([name]) => name === key).map(([, value]) => value);
  const one = (key: string): string => {
    const [value, other] = all(key);
    if (value === undefined || other !== undefined) {
      throw new UsageError(`--add-node needs one ${key}=..., as in name=n9,cpu=4,memory=8Gi`);
    }
    return value;
  };
  const optional = (key: string): string | undefined => (all(key).length === 0 ? undefined : one(key));
  const labels = new Map(pairs.filter(([key]) => !OWN_KEYS.has(key)).map(([key, value]) => [labelOf(key), value]));
  return {
    name: parseName(one('name')),
    capacity: {
      milliCpu: valueOf('cpu', parseCpu(one('cpu'))), memoryBytes: valueOf('memory', parseMemory(one('memory'))),
      ...readExtra(optional('disk'), optional('pids')),
    },
    labels, taints: all('taint'), runtimes: all('runtime'), devices: readDevices(all('device')),
  };
}

/** @throws UsageError for a key that was probably meant to be one of ours */
function labelOf(key: string): string {
  if (key.startsWith(LABEL_PREFIX)) {
    return key.slice(LABEL_PREFIX.length);
  }
  const meant = [...OWN_KEYS].find(own => own.startsWith(key) || key === `${own}s`) ?? nearestWord(key, [...OWN_KEYS]);
  if (meant !== undefined) {
    throw new UsageError(`--add-node ${key}=...: did you mean ${meant}=...? a label of that name is written label.${key}=...`);
  }
  return key;
}

const OWN_KEYS = new Set(['name', 'cpu', 'memory', 'disk', 'pids', 'device', 'taint', 'runtime']);
const LABEL_PREFIX = 'label.';

function readExtra(disk: string | undefined, pids: string | undefined): Pick<AddedNode['capacity'], 'diskBytes' | 'pids'> {
  return {
    ...(disk === undefined ? {} : { diskBytes: valueOf('disk', parseMemory(disk)) }),
    ...(pids === undefined ? {} : { pids: countOf('pids', pids) }),
  };
}

/** Of `NAME:COUNT`, sorted by name. @throws UsageError for one that is named twice */
function readDevices(texts: readonly string[]): AddedNode['devices'] {
  const devices = texts.map(text => {
    const [name = '', count, rest] = text.split(':');
    if (!isDeviceName(name) || count === undefined || rest !== undefined) {
      throw new UsageError(`--add-node device=${text}: write NAME:COUNT, as in device=nvidia.com/gpu:2`);
    }
    return { name, count: countOf(`device=${name}`, count) };
  });
  const names = devices.map(device => device.name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) {
    throw new UsageError(`--add-node device=${twice} is named twice; write their sum`);
  }
  return devices.sort((left, right) => (left.name < right.name ? -1 : 1));
}

function countOf(key: string, text: string): number {
  const count = Number(text);
  if (!/^\d{1,9}$/.test(text) || count === 0) {
    throw new UsageError(`--add-node ${key}: ${quoted(text)} is not a number of at least 1`);
  }
  return count;
}

function parseName(text: string): AddedNode['name'] {
  try {
    return parseNodeId(text);
  } catch {
    throw new UsageError(`--add-node name=${text}: a name has small letters, digits and -, at most 63`);
  }
}

function valueOf(key: string, parsed: Parsed<number>): number {
  if ('problem' in parsed) {
    throw new UsageError(`--add-node ${key}: ${parsed.problem}; a label of that name is written label.${key}=...`);
  }
  return parsed.value;
}
