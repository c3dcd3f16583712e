/** A controller's memory while Apps are applied, scaled and deleted without end, and after it. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlClient } from '#model/ports.ts';
import type { Bench, BenchSite, PreparedBench } from './bench.ts';
import type { BenchedController } from './benched-controller.ts';
import { ControlPlane } from './control-plane.ts';
import { countFlag } from './count-flag.ts';
import { Crowd } from './crowd.ts';
import { applyApp, serviceOf } from './fleet-load.ts';
import { rounded } from './report.ts';

const MINUTES = 3;
const MS_PER_MINUTE = 60_000;
const BYTES_PER_MIB = 2 ** 20;
const TENTHS = 10;
const NODES = 20;
/** A round begins each four seconds: a load of a given size, on any machine that keeps up with it. */
const ROUND_MS = 4_000;
const APPLIES = 20;
const SCALES = [50, 0, 50];
const NAMES = 3;
/** What the heap is compared with at the end. */
const REFERENCE_ROUNDS = 20;
const LOOK_MS = 50;
const LOOKS = 1_200;
/** V8 gives memory back some seconds after its last work. */
const IDLE_MS = 45_000;

export const growthBench: Bench = {
  unit: 'ms a round of 20 applies, three scales and a delete', isMoreBetter: false, runs: 1,
  goals: [{ of: 'extra.lastToMiddle', atMost: 1.15 }, { of: 'extra.heapToReference', atMost: 1.15 },
    { of: 'extra.idleToStart', atMost: 1.8 }, { of: 'extra.peakRssMb', atMost: 270 }],
  prepare: prepareGrowth,
};

async function prepareGrowth({ directory, flags, tell }: BenchSite): Promise<PreparedBench> {
  const minutes = countFlag(flags, 'minutes', MINUTES);
  await using stack = new AsyncDisposableStack();
  const plane = stack.use(await ControlPlane.start({ directory, controllers: 1, hasHeapProbe: true }));
  const [controller] = plane.controllers;
  const crowd = stack.use(new Crowd());
  await crowd.ask({ kind: 'make', addresses: plane.addresses, authority: plane.authority.keys, count: NODES });
  await crowd.ask({ kind: 'join' });
  const client = await plane.client();
  stack.defer(() => { client.close(); });
  const load = new Load(client, controller);
  const referenceHeapMib = await load.referenceHeapMib();
  await anew(controller, crowd);
  const startRssMib = controller.rssMib;
  const owned = stack.move();
  return {
    gantry: { name: 'growth', measure: async () => [await load.round()] },
    extra: async () => {
      const points: number[] = [];
      while (points.length < TENTHS) {
        points.push(await load.lasting(minutes * MS_PER_MINUTE / TENTHS));
        tell(`${String(points.at(-1))} MiB under load`);
      }
      await sleep(IDLE_MS);
      const figures = { ...lastToMiddle(points), ...idle(controller, startRssMib) };
      // Only now: after a collection of all garbage V8 does not shrink by itself.
      const heapMib = await liveHeapMib(controller);
      const heap = { referenceHeapMib, heapMib, heapToReference: rounded(heapMib / referenceHeapMib) };
      const given = { versions: await plane.versions(), minutes, rounds: load.rounds };
      return { ...given, startRssMib, ...figures, ...heap, rssMib: points };
    },
    [Symbol.asyncDispose]: async () => { await owned.disposeAsync(); },
  };
}

/** Rounds of applies, scales and a delete on one controller. */
class Load {
  rounds = 0;
  readonly #client: ControlClient;
  readonly #controller: BenchedController;

  constructor(client: ControlClient, controller: BenchedController) {
    this.#client = client;
    this.#controller = controller;
  }

  /** Milliseconds that it took. */
  async round(): Promise<number> {
    const startedAt = performance.now();
    await oneRound(this.#client, this.rounds);
    this.rounds += 1;
    return performance.now() - startedAt;
  }

  /** Rounds at the bench's rate. Resolves with the memory under load. */
  async lasting(durationMs: number): Promise<number> {
    const endAtMs = performance.now() + durationMs;
    while (performance.now() < endAtMs) {
      await sleep(Math.max(0, ROUND_MS - await this.round()));
    }
    return this.#controller.rssMib;
  }

  /** Of objects that are in use after a few rounds. */
  async referenceHeapMib(): Promise<number> {
    while (this.rounds < REFERENCE_ROUNDS) await this.round();
    return await liveHeapMib(this.#controller);
  }
}

/** Another process of the controller, on the same etcd: the collections of the first are not in its figures. */
async function anew(controller: BenchedController, crowd: Crowd): Promise<void> {
  await controller.kill();
  await crowd.ask({ kind: 'is-away' });
  controller.run();
  await crowd.ask({ kind: 'is-there' });
}

async function liveHeapMib(controller: BenchedController): Promise<number> {
  return rounded(await controller.liveHeapBytes() / BYTES_PER_MIB);
}

/** The first half fills what V8 leaves to garbage before it collects. */
function lastToMiddle(points: readonly number[]): { readonly lastToMiddle: number } {
  return { lastToMiddle: rounded((points.at(-1) ?? NaN) / (points[TENTHS / 2 - 1] ?? NaN)) };
}

function idle(controller: BenchedController, startRssMib: number): Readonly<Record<string, number>> {
  const { rssMib: idleRssMib, peakRssMb, cpuMs } = controller;
  return { idleRssMib, idleToStart: rounded(idleRssMib / startRssMib), peakRssMb, cpuSeconds: rounded(cpuMs / 1_000) };
}

async function oneRound(client: ControlClient, round: number): Promise<void> {
  const app = `app${String(round % NAMES)}`;
  for (let apply = 0; apply < APPLIES; apply += 1) {
    await applyApp(client, { app, replicas: 2, mark: String(round * APPLIES + apply) });
  }
  const web = await serviceOf(client, app);
  if (web === undefined) throw new Error(`${app} has no service after it was applied`);
  for (const replicas of SCALES) {
    await client.scale({ requestId: randomUUID(), service: web.service.id, replicas });
    await running(client, app, replicas);
  }
  await client.deleteApp({ requestId: randomUUID(), namespace: 'default', app, withVolumes: false });
  await running(client, app, 0);
}

async function running(client: ControlClient, app: string, replicas: number): Promise<void> {
  for (let look = 0; look < LOOKS; look += 1) {
    const { tasks } = await client.view({ app });
    if (tasks.filter(({ status }) => status?.phase === 'running').length === replicas) return;
    await sleep(LOOK_MS);
  }
  throw new Error(`${app} does not come to ${String(replicas)} running tasks`);
}
