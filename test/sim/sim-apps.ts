/** The Apps that a simulated operator applies: what they are like is drawn, the same draw gives the same App but for its image tags. */
import type { AppSpec } from '#model/app.ts';
import type { AutoscaleSpec, PlacementSpec, ServiceSpec, UpdateSpec } from '#model/service.ts';
import { serviceId } from '#model/ids.ts';
import { resources, service } from '../support/builders.ts';
import type { Random } from './random.ts';

/** `drawn`: programs may crash or be sick, and ask for much. `first` and `last` are good; `last` comes to rest. */
export type AppPhase = 'first' | 'drawn' | 'last';
export type AppName = 'shop' | 'side' | 'lab' | 'busy';

/** Of the second node, where there are four or more. */
export const TAINT = 'edge';

const HEALTHCHECK = { action: { kind: 'tcp', port: 80 }, intervalMs: 1_000, timeoutMs: 1_000, retries: 3, startPeriodMs: 0 } as const;

export const APPS: Readonly<Record<AppName, (random: Random, tag: number, phase: AppPhase) => AppSpec>> = { shop, side, lab, busy };

/** The services of `busy`, and what each of their replicas takes. */
export const APP_SCALED = {
  queue: { id: serviceId('default', 'busy', 'queue'), target: 10 },
  crunch: { id: serviceId('default', 'busy', 'crunch'), milliCpu: 25, cpuPercent: 100 },
} as const;

function shop(random: Random, tag: number, phase: AppPhase): AppSpec {
  const isGood = phase !== 'drawn';
  const web = random.between(0, 2);
  const services: readonly ServiceSpec[] = [
    service({ name: 'agent', kind: 'global', placement: { tolerate: [TAINT] }, container: program(random, tag, isGood) }).spec,
    service({
      name: 'db', kind: 'stateful', replicas: random.between(1, 3),
      container: { ...program(random, tag, isGood), volumes: [{ kind: 'volume', source: 'data', target: '/data', readOnly: false }] },
    }).spec,
    service({ name: 'report', kind: 'job', replicas: 2, container: { ...program(random, tag, true), image: `docker.io/library/work:${String(tag)}`, restart: { mode: 'on-failure', maxAttempts: 3, windowMs: 600_000, delayMs: 1_000 } } }).spec,
    service({
      name: 'web', replicas: random.between(1, 4), dependsOn: random.chance(0.5) ? [{ service: 'db', condition: 'service_started' }] : [],
      update: { maxSurge: web, maxUnavailable: web === 0 ? 1 : random.between(0, 1), monitorMs: 10_000 },
      placement: { spread: random.chance(0.5) ? ['zone'] : [] },
      container: { ...program(random, tag, isGood), healthcheck: HEALTHCHECK },
    }).spec,
    // Without a volume that keeps it where it is: what moves to another node must have ended on the one before (I11).
    service({ name: 'lock', kind: 'stateful', replicas: 1, container: program(random, tag, isGood) }).spec,
  ];
  return { namespace: 'default', name: 'shop', services, configs: [], secrets: [], volumes: [{ name: 'data', perReplica: true }] };
}

/** One service with a config, whose content is another in each apply, and an exclusive one. */
function side(random: Random, tag: number, phase: AppPhase): AppSpec {
  const isGood = phase !== 'drawn';
  const api = service({
    name: 'api', replicas: random.between(1, 3), update: { monitorMs: 10_000 }, placement: { tolerate: [TAINT], maxPer: [{ label: 'zone', count: 2 }] },
    container: { ...program(random, tag, isGood), healthcheck: HEALTHCHECK, configs: [{ source: 'settings', target: '/etc/settings', mode: 0o444 }] },
  }).spec;
  const stopAfterMs = random.between(10, 30) * 1_000;
  const solo = service({
    name: 'solo', replicas: random.between(1, 2), update: { monitorMs: 10_000 }, container: program(random, tag, isGood),
    onDisconnect: { kind: 'exclusive', stopAfterMs, replaceAfterMs: stopAfterMs + 20_000 + random.between(0, 1) * 20_000 },
  }).spec;
  return { namespace: 'default', name: 'side', services: [api, solo], configs: [{ name: 'settings', content: Buffer.from(`tag=${String(tag)}`) }], secrets: [], volumes: [] };
}

/** Stages that are watched and promoted, priorities, and a cron; of `last` nothing that would not rest. */
function lab(random: Random, tag: number, phase: AppPhase): AppSpec {
  const isGood = phase !== 'drawn';
  const promote = isGood ? 'auto' : random.pick(['auto', 'manual'] as const) ?? 'auto';
  const watched = (name: string, update: Partial<UpdateSpec>, replicas: number): ServiceSpec => service({
    name, replicas, update: { ...update, promote, monitorMs: 8_000 }, container: { ...program(random, tag, isGood), requests: resources(50, 64), healthcheck: HEALTHCHECK },
  }).spec;
  const ranked = (name: string, priority: number, most: number, milliCpu: number, placement: Partial<PlacementSpec> = {}): ServiceSpec => service({
    name, replicas: isGood ? 1 : random.between(1, most), placement: { priority, ...placement }, container: { ...program(random, tag, true), requests: resources(isGood ? 50 : milliCpu, 64) },
  }).spec;
  const services: readonly ServiceSpec[] = [
    watched('canary', { strategy: 'canary', stepPercents: [25, 50], maxSurge: 1, maxUnavailable: 0 }, random.between(1, isGood ? 2 : 4)),
    watched('green', { strategy: 'blue_green' }, random.between(1, 2)),
    ranked('high', 100, 3, 400, { avoid: [{ service: 'low', label: 'node' }] }), ranked('low', -10, 8, 300, { require: [{ label: 'zone', operator: '==', values: ['a'] }] }),
    service({
      name: 'nightly', kind: 'cron', replicas: random.between(1, 2), job: { retries: 1 },
      cron: {
        schedule: '* * * * *', timezone: 'Etc/UTC', concurrency: random.pick(['allow', 'forbid', 'replace'] as const) ?? 'allow', keptSucceeded: 2, keptFailed: 1, isSuspended: phase === 'last',
      },
      container: { ...program(random, tag, true), image: `docker.io/library/work:${String(tag)}`, requests: resources(50, 64), restart: { mode: 'never', maxAttempts: 1, windowMs: 600_000, delayMs: 1_000 } },
    }).spec,
  ];
  return { namespace: 'default', name: 'lab', services, configs: [], secrets: [], volumes: [] };
}

/** By a metric and by cpu; in some draws by neither. */
function busy(random: Random, tag: number, phase: AppPhase): AppSpec {
  const isGood = phase !== 'drawn';
  const scaled = (name: keyof typeof APP_SCALED, min: number, measure: Partial<AutoscaleSpec>): ServiceSpec => service({
    name, replicas: Math.max(min, 1), container: { ...program(random, tag, isGood), requests: resources(APP_SCALED.crunch.milliCpu, 32) },
    ...(isGood || random.chance(0.8) ? {
      autoscale: {
        min, max: random.between(3, 5), stabilizationMs: random.pick([0, 20_000, 60_000, 120_000]) ?? 0, upStabilizationMs: random.pick([0, 0, 30_000]) ?? 0, ...measure,
      },
    } : {}),
  }).spec;
  const services = [
    scaled('crunch', random.between(1, 2), { cpuPercent: APP_SCALED.crunch.cpuPercent }),
    scaled('queue', random.between(0, 1), { metric: { query: APP_SCALED.queue.id, target: APP_SCALED.queue.target } }),
  ];
  return { namespace: 'default', name: 'busy', services, configs: [], secrets: [], volumes: [] };
}

/** Most are good; the rest crash, or are never healthy. Half of them are the same image as before. */
function program(random: Random, tag: number, isGood: boolean): { readonly image: string; readonly requests: ReturnType<typeof resources> } {
  const quality = isGood || random.chance(0.7) ? 'good' : random.chance(0.5) ? 'crash' : 'sick';
  return { image: `docker.io/library/${quality}:${isGood || random.chance(0.5) ? String(tag) : 'steady'}`, requests: resources(random.between(1, 3) * 50, 64) };
}
