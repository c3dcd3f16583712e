/** A control plane of full size: its leader, event loops and memory while what makes most work happens. */
import { randomUUID } from 'node:crypto';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlClient, ServiceView } from '#model/ports.ts';
import type { Bench, BenchSite, Goal, PreparedBench } from './bench.ts';
import { ControlPlane } from './control-plane.ts';
import { countFlag } from './count-flag.ts';
import { Crowd } from './crowd.ts';
import { FleetFigures } from './fleet-figures.ts';
import { applyApp, serviceOf } from './fleet-load.ts';
import { LeaderHistory } from './leader-history.ts';
import { figures, rounded } from './report.ts';
import { Watchers } from './watchers.ts';

const NODES = 5_000;
const TASKS = 100_000;
const CONTROLLERS = 2;
const APPS = 20;
const PENDING_SHARE = 0.1;
const WATCHERS = 3;
/** Of all replicas of the App that is rolled out. */
const SURGE_SHARE = 0.1;
const WINDOW_MS = 4_000;
const SETTLE_MS = 5_000;
const LOOK_MS = 1_000;
const PHASE_LIMIT_MS = 240_000;
const ONE_LIMIT_MS = 30_000;
/** Of the whole bench, what is left of it to each phase. */
const RUN_LIMIT_MS = 840_000;
const PENDING_MEMORY = '1000Gi';

export const fleetBench: Bench = {
  unit: 'ms from the apply of a new service until a node has its first task', isMoreBetter: false,
  runs: 3, isAlwaysBusy: true, goals: [], prepare: prepareFleet,
};

interface Size {
  readonly nodes: number;
  readonly tasks: number;
  readonly pending: number;
  readonly rolled: number;
}

interface Fleet {
  readonly size: Size;
  readonly plane: ControlPlane;
  readonly crowd: Crowd;
  readonly watchers: Watchers;
  readonly client: ControlClient;
  readonly figures: FleetFigures;
}

function goalsOf({ nodes, tasks, pending }: Size): readonly Goal[] {
  return [
    { of: 'extra.nodes', atLeast: nodes }, { of: 'extra.running', atLeast: tasks },
    { of: 'extra.pending', atLeast: pending }, { of: 'extra.watchersThatSeeAll', atLeast: WATCHERS },
    { of: 'extra.rolloutSeconds', atMost: PHASE_LIMIT_MS / 1_000 },
    { of: 'extra.reconnectSeconds', atMost: PHASE_LIMIT_MS / 1_000 },
    { of: 'extra.leaderChanges', atMost: 0 }, { of: 'extra.longestBlockMs', atMost: 250 },
    { of: 'extra.peakRssMb', atMost: 1_500 }, { of: 'extra.firstTaskMs', atMost: 1_000 },
  ];
}

async function prepareFleet({ directory, flags, tell }: BenchSite): Promise<PreparedBench> {
  const [nodes, tasks] = [countFlag(flags, 'nodes', NODES), countFlag(flags, 'tasks', TASKS)];
  const rolled = Math.floor(tasks / APPS);
  const size = { nodes, tasks: rolled * APPS, pending: Math.floor(tasks * PENDING_SHARE), rolled };
  const loadBefore = loadavg()[0];
  await using stack = new AsyncDisposableStack();
  const controllers = countFlag(flags, 'controllers', CONTROLLERS);
  const plane = stack.use(await ControlPlane.start({ directory, controllers }));
  const crowd = stack.use(new Crowd());
  const watchers = stack.use(new Watchers());
  const client = await plane.client();
  stack.defer(() => { client.close(); });
  const leader = stack.use(new LeaderHistory(plane.store));
  const fleet = { size, plane, crowd, watchers, client, figures: new FleetFigures(plane, tell, RUN_LIMIT_MS) };
  await load(fleet);
  const owned = stack.move();
  const firstTasks: number[] = [];
  return {
    goals: goalsOf(size),
    gantry: {
      name: 'gantry',
      measure: async runs => {
        const samples: number[] = [];
        while (samples.length < runs) samples.push(await sampleOf(fleet, 'new service'));
        firstTasks.push(...samples);
        return samples;
      },
    },
    extra: async () => {
      const during = await disturb(fleet);
      const firstTaskMs = rounded(Math.max(...firstTasks, ...during));
      return {
        loadBefore, versions: await plane.versions(), controllers,
        ...await whole(fleet), firstTaskMs, leaderChanges: leader.changes, ...fleet.figures.all(),
      };
    },
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

/** All nodes join, all that can run does, the rest waits, and all of it is watched. */
async function load({ size, plane, crowd, watchers, client, figures: told }: Fleet): Promise<void> {
  await crowd.ask({ kind: 'make', addresses: plane.addresses, authority: plane.authority.keys, count: size.nodes });
  await told.phase('join', PHASE_LIMIT_MS, async limitMs => { await crowd.ask({ kind: 'join' }, limitMs); });
  await told.phase('load', PHASE_LIMIT_MS, async limitMs => {
    for (let index = 0; index < APPS; index += 1) {
      await applyApp(client, { app: `app${String(index)}`, replicas: size.rolled, maxSurge: surgeOf(size) });
    }
    await crowd.ask({ kind: 'runs', count: size.tasks }, limitMs);
  });
  await told.phase('pending', PHASE_LIMIT_MS, async limitMs => {
    await applyApp(client, { app: 'never', replicas: size.pending, memory: PENDING_MEMORY });
    await told.until(limitMs, LOOK_MS, async () => pendingOf(await serviceOf(client, 'never')) === size.pending);
  });
  await told.phase('watch', PHASE_LIMIT_MS, async limitMs => {
    const identity = await plane.authority.identity('operator', 'admin');
    await watchers.ask({ kind: 'watch', addresses: plane.addresses, identity, count: WATCHERS });
    await watchers.ask({ kind: 'see', running: size.tasks }, limitMs);
  });
  await told.phase('steady', PHASE_LIMIT_MS, async () => {
    await sleep(SETTLE_MS);
    told.note({ ...await heartbeats(crowd), ...await processorShares(plane) });
  });
}

/**
 * A rollout and a reconnection of all agents, and a new service in the middle of each.
 *
 * @returns milliseconds until each of those had its task
 */
async function disturb(fleet: Fleet): Promise<readonly number[]> {
  const { size, crowd, client, figures: told } = fleet;
  const firstTasks: number[] = [];
  await told.phase('rollout', PHASE_LIMIT_MS, async limitMs => {
    await applyApp(client, { app: 'app0', replicas: size.rolled, maxSurge: surgeOf(size), mark: '2' });
    firstTasks.push(await sampleOf(fleet, 'new service while rolling'));
    await told.until(limitMs, LOOK_MS, async () => {
      const view = await serviceOf(client, 'app0');
      const rollout = view?.status?.rollout;
      const isNewest = rollout?.revision === view?.service.revision;
      return rollout?.state === 'settled' && isNewest && view?.running === size.rolled;
    });
  });
  await sleep(SETTLE_MS);
  await told.phase('reconnect', PHASE_LIMIT_MS, async limitMs => {
    const broken = crowd.ask({ kind: 'break' }, limitMs);
    firstTasks.push(await sampleOf(fleet, 'new service while reconnecting'));
    await broken;
  });
  await told.phase('after', PHASE_LIMIT_MS, async () => { await sleep(SETTLE_MS); });
  return firstTasks;
}

/** NaN, which meets no goal, when it failed. */
async function sampleOf(fleet: Fleet, name: string): Promise<number> {
  return await fleet.figures.sample(name, async () => await firstTask(fleet)) ?? NaN;
}

async function firstTask({ client, crowd }: Fleet): Promise<number> {
  const app = `new-${randomUUID().slice(0, 8)}`;
  const startedAtMs = Date.now();
  await applyApp(client, { app, replicas: 1 });
  const { firstAtMs = NaN } = await crowd.ask({ kind: 'has-tasks', app, count: 1 }, ONE_LIMIT_MS);
  await client.deleteApp({ requestId: randomUUID(), namespace: 'default', app, withVolumes: false });
  return firstAtMs - startedAtMs;
}

/** What there is in the end, as the API tells it. */
async function whole({ size, client, crowd, watchers }: Fleet): Promise<Readonly<Record<string, unknown>>> {
  const { nodes, services } = await client.view({ withoutTasks: true });
  await watchers.ask({ kind: 'see', running: size.tasks }, ONE_LIMIT_MS).catch(() => undefined);
  const [seen, counts] = [await watchers.ask({ kind: 'counts' }), await crowd.ask({ kind: 'counts' })];
  const sum = (of: (view: ServiceView) => number): number => services.reduce((total, view) => total + of(view), 0);
  return {
    nodes: nodes.filter(({ node }) => node.condition === 'ready').length,
    running: sum(({ running }) => running), pending: sum(pendingOf),
    watchersThatSeeAll: seen.running?.filter(count => count === size.tasks).length,
    views: seen.views, watchFailures: seen.failures, lastWatchFailure: seen.lastFailure,
    endpointSets: counts.sets, endpointGaps: counts.gaps,
  };
}

async function heartbeats(crowd: Crowd): Promise<Readonly<Record<string, number>>> {
  await crowd.ask({ kind: 'take-round-trips' });
  await sleep(WINDOW_MS);
  const { roundTripsMs = [] } = await crowd.ask({ kind: 'take-round-trips' });
  const { p50, p99 } = figures(roundTripsMs);
  return { heartbeatP50Ms: p50, heartbeatP99Ms: p99 };
}

async function processorShares({ controllers }: ControlPlane): Promise<{ readonly steadyCpuPct: readonly number[] }> {
  const before = controllers.map(({ cpuMs }) => cpuMs);
  await sleep(WINDOW_MS);
  const shares = controllers.map(({ cpuMs }, index) => (cpuMs - (before[index] ?? 0)) / WINDOW_MS);
  return { steadyCpuPct: shares.map(share => rounded(share * 100)) };
}

function pendingOf(service?: ServiceView): number {
  return service?.status?.pendingCount ?? service?.status?.pending.length ?? 0;
}

function surgeOf({ rolled }: Size): number {
  return Math.max(1, Math.floor(rolled * SURGE_SHARE));
}
