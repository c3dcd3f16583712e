/** What a service asks for, made as small as it has to be: the most of one resource with which all its slots find a place. */
import type { ContainerSpec, DeviceCount } from '#model/service.ts';
import type { Blocked } from './blocked.ts';
import { distinct, helps, serviceWords } from './candidate.ts';
import type { Candidate, FieldEdit } from './candidate.ts';
import { amount } from './explain.ts';
import type { Amount } from './filters.ts';

type MakeField = (blocked: Blocked, change: Partial<ContainerSpec>, edit: FieldEdit) => Candidate;

const MIB = 1024 ** 2;
/** No task is asked to do with less; amounts are steps of these units. */
const LEAST: Readonly<Record<Amount, number>> = { cpu: 10, memory: 8, disk: 1, pids: 1 };
const UNIT: Readonly<Record<Amount, number>> = { cpu: 1, memory: MIB, disk: MIB, pids: 1 };
const FIELDS = { cpu: 'milliCpu', memory: 'memoryBytes', disk: 'diskBytes', pids: 'pids' } as const;
const KEYS: Readonly<Record<Amount, string>> = { cpu: 'cpus', memory: 'memory', disk: 'disk', pids: 'pids' };

/** Those of the resources that some node or the quota has too little of. */
export function* smallerRequests(blocked: Blocked, make: MakeField): Iterable<Candidate> {
  const obstacles = blocked.nodes.flatMap(one => one.obstacles);
  const scarce = new Set(obstacles.map(one => (one.kind === 'quota' ? one.resource : one.kind === 'device' ? `device ${one.device}` : one.kind)));
  for (const kind of ['cpu', 'memory', 'disk', 'pids'] as const) {
    if (scarce.has(kind)) {
      yield* mostThatHelps(blocked, { least: LEAST[kind], most: Math.ceil(amountOf(blocked, kind) / UNIT[kind]) - 1 }, units => withAmount(blocked, make, { kind, value: units * UNIT[kind] }));
    }
  }
  for (const name of distinct([...scarce]).filter(one => one.startsWith('device ')).map(one => one.slice('device '.length))) {
    const count = blocked.service.spec.container.deviceRequests.find(one => one.name === name)?.count ?? 0;
    yield* mostThatHelps(blocked, { least: 1, most: count - 1 }, units => withDevices(blocked, make, { name, count: units }));
  }
}

/** By halves: what fits with more fits with less. */
function* mostThatHelps(blocked: Blocked, range: { readonly least: number; readonly most: number }, at: (units: number) => Candidate): Iterable<Candidate> {
  let { least, most } = range;
  if (most < least || !helps(blocked, at(least))) {
    return;
  }
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (helps(blocked, at(middle))) {
      least = middle;
    } else {
      most = middle - 1;
    }
  }
  yield at(least);
}

function amountOf({ service: { spec } }: Blocked, kind: Amount): number {
  return spec.container.requests[FIELDS[kind]] ?? 0;
}

function withAmount(blocked: Blocked, make: MakeField, { kind, value }: { readonly kind: Amount; readonly value: number }): Candidate {
  const requests = { ...blocked.service.spec.container.requests, [FIELDS[kind]]: value };
  const text = kind === 'cpu' ? String(value / 1000) : kind === 'pids' ? String(value) : `${String(value / MIB)}Mi`;
  const sentence = `ask for ${text} of ${kind} instead of ${amount(kind, amountOf(blocked, kind))}`;
  return make(blocked, { requests }, { path: `resources.requests.${KEYS[kind]}`, value: text, sentence, ...updateCommand(blocked, kind, text) });
}

/** `update` changes what services ask for, of these two. */
function updateCommand({ service }: Blocked, kind: Amount, text: string): { readonly command?: string } {
  const isUpdated = (kind === 'cpu' || kind === 'memory') && service.spec.kind !== 'job' && service.spec.kind !== 'cron';
  return isUpdated ? { command: `clusterctl update --request-${kind === 'cpu' ? 'cpus' : 'memory'} ${text} ${serviceWords(service)}` } : {};
}

function withDevices(blocked: Blocked, make: MakeField, { name, count }: DeviceCount): Candidate {
  const requests = blocked.service.spec.container.deviceRequests;
  const before = requests.find(one => one.name === name);
  const deviceRequests = requests.map(one => (one.name === name ? { ...one, count } : one));
  const sentence = `ask for ${String(count)} of ${name} instead of ${String(before?.count ?? 0)}`;
  return make(blocked, { deviceRequests }, { path: `resources.requests.devices.${name}${before?.milli === undefined ? '' : '.count'}`, value: String(count), sentence });
}
