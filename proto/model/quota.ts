/** Quotas of namespaces as text: `cpus=10,memory=20Gi,tasks=100,nvidia.com/gpu=4`. */
import { isDeviceName } from './device-rules.ts';
import type { NamespaceQuota } from './namespace.ts';
import { quoted } from './printable.ts';
import { parseCpu, parseMemory } from './quantity.ts';
import type { Parsed } from './quantity.ts';

const MAX_DEVICES = 64;

export function parseQuota(text: string): Parsed<NamespaceQuota> {
  let quota: NamespaceQuota = { devices: [] };
  const names = new Set<string>();
  for (const part of text.split(',')) {
    const [, name = '', amount = ''] = /^([^=]+)=(.+)$/.exec(part) ?? [];
    if (names.has(name)) {
      return { problem: `${quoted(name)} is given twice; write each name once` };
    }
    names.add(name);
    const parsed = name === '' ? { problem: `${quoted(part)} is not NAME=AMOUNT, as in cpus=10,memory=20Gi,tasks=100,nvidia.com/gpu=4` } : withAmount(quota, name, amount);
    if ('problem' in parsed) {
      return parsed;
    }
    quota = parsed.value;
  }
  return { value: quota };
}

function withAmount(quota: NamespaceQuota, name: string, amount: string): Parsed<NamespaceQuota> {
  const set = (parsed: Parsed<number>, make: (value: number) => Partial<NamespaceQuota>): Parsed<NamespaceQuota> =>
    ('problem' in parsed ? parsed : { value: { ...quota, ...make(parsed.value) } });
  switch (name) {
    case 'cpus': return set(parseCpu(amount), milliCpu => ({ milliCpu }));
    case 'memory': return set(parseMemory(amount), memoryBytes => ({ memoryBytes }));
    case 'tasks': return set(parseCount(amount), tasks => ({ tasks }));
    default: return isDeviceName(name)
      ? set(parseCount(amount), count => ({ devices: [...quota.devices.filter(one => one.name !== name), { name, count }].sort((left, right) => (left.name < right.name ? -1 : 1)) }))
      : { problem: `${quoted(name)} is none of cpus, memory, tasks and no name of a device` };
  }
}

function parseCount(text: string): Parsed<number> {
  return /^\d{1,9}$/.test(text) ? { value: Number(text) } : { problem: `${quoted(text)} is not a whole number` };
}

/** What is wrong with a quota, or undefined. */
export function findQuotaProblem(quota: NamespaceQuota | undefined): string | undefined {
  const { milliCpu = 0, memoryBytes = 0, tasks = 0, devices = [] } = quota ?? {};
  const bad = [milliCpu, memoryBytes, tasks, ...devices.map(one => one.count)].find(amount => !Number.isSafeInteger(amount) || amount < 0);
  if (bad !== undefined) {
    return `a quota's amounts are whole numbers from 0, not ${String(bad)}`;
  }
  const name = devices.find(one => !isDeviceName(one.name))?.name;
  return devices.length > MAX_DEVICES ? `at most ${String(MAX_DEVICES)} devices can be named` : name === undefined ? undefined : `${quoted(name)} is not a name of a device`;
}

export function isEmptyQuota(quota: NamespaceQuota): boolean {
  return formatQuota(quota) === '';
}

/** As `parseQuota` reads it. */
export function formatQuota({ milliCpu, memoryBytes, tasks, devices }: NamespaceQuota): string {
  return [
    ...(milliCpu === undefined ? [] : [`cpus=${String(milliCpu / 1000)}`]), ...(memoryBytes === undefined ? [] : [`memory=${exactMemory(memoryBytes)}`]),
    ...(tasks === undefined ? [] : [`tasks=${String(tasks)}`]), ...devices.map(({ name, count }) => `${name}=${String(count)}`),
  ].join(',');
}

/** In the largest unit that divides it: a quota is read back as it was. */
function exactMemory(bytes: number): string {
  const unit = [['Ti', 2 ** 40], ['Gi', 2 ** 30], ['Mi', 2 ** 20], ['Ki', 2 ** 10]] as const;
  const [name, factor] = unit.find(([, size]) => bytes > 0 && bytes % size === 0) ?? ['', 1];
  return `${String(bytes / factor)}${name}`;
}
