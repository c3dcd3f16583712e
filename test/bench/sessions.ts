/** What the sessions of many nodes cost one controller, and how soon they hear of a change. */
import { setTimeout as sleep } from 'node:timers/promises';
import { buildKey } from '../../controller/store/keys.ts';
import { encodeService } from '../../controller/store/records.ts';
import { service } from '../support/builders.ts';
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import { countFlag } from './count-flag.ts';
import { Crowd } from './crowd.ts';
import { ControlPlane } from './control-plane.ts';
import { figures, rounded } from './report.ts';

const NODES = 5_000;
/** Two heartbeats of each node. */
const WINDOW_MS = 4_000;
/** After the crowd is there, until what the joining left is done. */
const SETTLE_MS = 5_000;
const CHANGES = 10;
const CHANGE_REST_MS = 500;

export const sessionsBench: Bench = {
  unit: 'ms from a heartbeat to its acknowledgement, p99 of a window', isMoreBetter: false, runs: 3, isAlwaysBusy: true,
  goals: [{ of: 'extra.heartbeatP99Ms', atMost: 10 }, { of: 'extra.cpuPct', atMost: 12 }, { of: 'extra.rssMb', atMost: 250 }],
  prepare: prepareSessions,
};

async function prepareSessions({ directory, flags, tell }: BenchSite): Promise<PreparedBench> {
  const count = countFlag(flags, 'nodes', NODES);
  await using stack = new AsyncDisposableStack();
  const plane = stack.use(await ControlPlane.start({ directory, controllers: 1 }));
  const [controller] = plane.controllers;
  const crowd = stack.use(new Crowd());
  await crowd.ask({ kind: 'make', addresses: plane.addresses, authority: plane.authority.keys, count });
  const joinAllSeconds = await crowd.timed({ kind: 'join' });
  tell(`${String(count)} nodes joined in ${joinAllSeconds.toFixed(1)} s`);
  await sleep(SETTLE_MS);
  const joining = await crowd.ask({ kind: 'counts' });
  const roundTrips: number[] = [];
  const cpuShares: number[] = [];
  const owned = stack.move();
  const window = async (): Promise<number> => {
    await crowd.ask({ kind: 'take-round-trips' });
    const [startedAt, before] = [performance.now(), controller.cpuMs];
    await sleep(WINDOW_MS);
    cpuShares.push(((controller.cpuMs - before) / (performance.now() - startedAt)) * 100);
    const { roundTripsMs = [] } = await crowd.ask({ kind: 'take-round-trips' });
    roundTrips.push(...roundTripsMs);
    return figures(roundTripsMs).p99;
  };
  return {
    gantry: {
      name: 'sessions',
      measure: async runs => {
        const samples: number[] = [];
        while (samples.length < runs) samples.push(await window());
        return samples;
      },
    },
    extra: async () => {
      const rssMb = controller.rssMib;
      const steady = { heartbeatP50Ms: figures(roundTrips).p50, heartbeatP99Ms: figures(roundTrips).p99, cpuPct: figures(cpuShares).p50, rssMb };
      const changes = await measureChanges(plane, crowd);
      return {
        versions: await plane.versions(), nodes: count, ...steady, joinAllSeconds: rounded(joinAllSeconds), setsWhileJoining: joining.sets, changesWhileJoining: joining.changes, gaps: joining.gaps, ...changes,
        reconnectAllSeconds: rounded(await reconnect(plane, crowd)),
      };
    },
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

/** From the write of a service until each node was told its endpoints, and the processor time of the controller that it takes. */
async function measureChanges({ controllers: [controller], store }: ControlPlane, crowd: Crowd): Promise<{ readonly changeToAllMs: number; readonly changeCpuMs: number }> {
  const [tookMs, cpuMs]: [number[], number[]] = [[], []];
  for (let change = 0; change < CHANGES; change += 1) {
    const one = service({ name: `web${String(change)}` });
    const [startedAt, before] = [performance.now(), controller.cpuMs];
    const { etcdRevision } = await store.transact([], [{ kind: 'put', key: buildKey({ kind: 'service', id: one.id }), value: encodeService(one) }]);
    await crowd.ask({ kind: 'has-endpoints', generation: etcdRevision });
    tookMs.push(performance.now() - startedAt);
    await sleep(CHANGE_REST_MS);
    cpuMs.push(controller.cpuMs - before);
  }
  return { changeToAllMs: figures(tookMs).p50, changeCpuMs: figures(cpuMs).p50 };
}

/** Seconds from the kill of the controller, which is started again at once, until each node has a session with it. */
async function reconnect({ controllers: [controller] }: ControlPlane, crowd: Crowd): Promise<number> {
  const startedAt = performance.now();
  await controller.kill();
  await crowd.ask({ kind: 'is-away' });
  controller.run();
  await crowd.ask({ kind: 'is-there' });
  return (performance.now() - startedAt) / 1_000;
}
