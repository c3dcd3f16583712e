/** Clusters and services for the schedule bench: seeded, the same on every machine. */
import type { Service } from '#model/app.ts';
import { parseDigest } from '#model/digest.ts';
import type { Node } from '#model/node.ts';
import type { Task } from '#model/task.ts';
import { node, resources, service, task, taskId } from '../support/builders.ts';
import type { ServiceOptions } from '../support/builders.ts';
import { Random } from '../sim/random.ts';
import type { PendingService } from '../../controller/schedule/schedule.ts';

/** That all services share. */
const IMAGES = 200;
const ZONES = ['a', 'b', 'c', 'd', 'e'];
const TIERS = ['web', 'batch', 'data'];
/** Cores and MiB of machines. */
const SHAPES = [[32, 131_072], [64, 262_144], [96, 196_608]] as const;

/** Three shapes of machine, five zones, three tiers; one in ten with an SSD, one in twenty with a taint. */
export function makeNodes(count: number, seed = 1): readonly Node[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, index) => {
    const [cores, mib] = random.pick(SHAPES) ?? SHAPES[0];
    return node(`n${String(index).padStart(5, '0')}`, {
      capacity: resources(cores * 1_000, mib), taints: random.chance(0.05) ? ['spot'] : [],
      labels: { zone: random.pick(ZONES) ?? 'a', tier: random.pick(TIERS) ?? 'web', ...(random.chance(0.1) ? { disk: 'ssd' } : {}) },
    });
  });
}

/** All of one shape, for packing and evenness. */
export function makeEqualNodes(count: number): readonly Node[] {
  return Array.from({ length: count }, (_, index) => node(`n${String(index).padStart(5, '0')}`, { capacity: resources(32_000, 131_072) }));
}

export function pendingOf(of: Service, slots: number): PendingService {
  return { service: of, slots: Array.from({ length: slots }, (_, slot) => ({ slot })) };
}

/** Services of 100 tasks that are all alike. */
export function likeServices(tasks: number, seed = 2): readonly PendingService[] {
  const random = new Random(seed);
  return Array.from({ length: Math.ceil(tasks / 100) }, (_, index) => pendingOf(numbered('like', index, { replicas: 100, ...sized(random.between(1, 16) * 100, random.between(2, 32) * 128) }), 100));
}

/** Services of one task, each with requests of its own and rules, spread and wishes from a few. */
export function unlikeServices(tasks: number, seed = 3): readonly PendingService[] {
  const random = new Random(seed);
  return Array.from({ length: tasks }, (_, index) => pendingOf(numbered('unlike', index, { replicas: 1, ...sized(random.between(50, 2_000), random.between(64, 4_096)), ...rules(random) }), 1));
}

/** Services of one task, each of one of 500 classes, in no order. */
export function mixedServices(tasks: number, seed = 4): readonly PendingService[] {
  const random = new Random(seed);
  const classes = Array.from({ length: 500 }, () => ({ replicas: 1, ...sized(random.between(50, 2_000), random.between(64, 4_096)), ...rules(random) }));
  return Array.from({ length: tasks }, (_, index) => pendingOf(numbered('mixed', index, random.pick(classes) ?? {}), 1));
}

/** Two tasks a service, so that the spread counts, and wishes on each: filters, spread and score all on. */
export function spreadServices(tasks: number, seed = 5): readonly PendingService[] {
  const random = new Random(seed);
  return Array.from({ length: Math.ceil(tasks / 2) }, (_, index) => {
    const { placement } = rules(random);
    const prefer = [{ rule: { label: 'disk', operator: '==', values: ['ssd'] }, weight: 1 }] as const;
    return pendingOf(numbered('spread', index, { replicas: 2, ...sized(random.between(50, 2_000), random.between(64, 4_096)), placement: { ...placement, spread: ['zone', 'node'], prefer } }), 2);
  });
}

/** Tasks that pack nodes of one shape, small and large, some of much cpu and some of much memory. */
export function packedServices(tasks: number, seed = 6): readonly PendingService[] {
  const random = new Random(seed);
  return Array.from({ length: tasks }, (_, index) => pendingOf(numbered('packed', index, {
    replicas: 1, ...sized(random.between(1, 16) * 250, random.between(1, 16) * 1_024), placement: { policy: 'binpack' },
  }), 1));
}

/** Running tasks of what was placed. */
export function tasksOf(placed: readonly { readonly service: Service; readonly slot: number; readonly node: string }[]): readonly Task[] {
  return placed.map((one, index) => task(one.service, one.node, { slot: one.slot, id: taskId(letters(index)) }));
}

function numbered(name: string, index: number, options: ServiceOptions): Service {
  const digest = parseDigest(`sha256:${String(index % IMAGES).padStart(64, '0')}`);
  return service({ ...options, container: { ...options.container, digest }, name, app: `a${String(index)}` });
}

function sized(milliCpu: number, memoryMib: number): ServiceOptions {
  return { container: { requests: resources(milliCpu, memoryMib) } };
}

function rules(random: Random): Required<Pick<ServiceOptions, 'placement'>> {
  const require = [
    ...(random.chance(0.5) ? [{ label: 'tier', operator: '==', values: [random.pick(TIERS) ?? 'web'] } as const] : []),
    ...(random.chance(0.2) ? [{ label: 'zone', operator: 'not-in', values: [random.pick(ZONES) ?? 'a'] } as const] : []),
  ];
  return { placement: { require, tolerate: random.chance(0.3) ? ['spot'] : [] } };
}

/** A number as lower-case letters. */
export function letters(value: number): string {
  return Array.from(String(value), digit => String.fromCharCode(97 + Number(digit))).join('').padStart(8, 'a');
}
