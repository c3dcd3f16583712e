/** One machine: what the agents that run on it find there, with the time that each step takes, a disk that may be full, and programs that run. */
import type { AssignedContent } from '#model/assignment.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import { DiskPressureError } from '../../agent/disk-pressure.ts';
import type { DesiredSet } from '../../agent/assignment.ts';
import type { HealthVerdict } from '../../agent/health/ports.ts';
import type { Instance } from '../../agent/instance-fs.ts';
import { acceptedNames, NO_NAMES } from '../../agent/instance-names.ts';
import type { InstanceNames } from '../../agent/instance-names.ts';
import type { HeldAssignment } from '../../agent/ports.ts';
import { parseContainerId } from '../../agent/task/names.ts';
import type { TaskRecord } from '../../agent/task/record.ts';
import { FakeNode } from '../support/fake-node.ts';
import type { Random } from './random.ts';
import { SimDeadman } from './sim-deadman.ts';
import { SimProcess } from './sim-time.ts';
import type { SimTime } from './sim-time.ts';

/** What the machine's programs do, by the repository of their image. */
const CRASH_WITHIN_MS = 3_000;
/** Writes of the agent that a full disk does not take. */
const DISK_STEPS: ReadonlySet<string> = new Set(['records.save', 'records.appendStart', 'snapshots.prepare', 'bundles.create', 'volumes.prepare', 'images.ensure']);

/** Told of what happens on machines, for the checker. */
export interface MachineWitness {
  started(node: NodeId, id: string): void;
  ended(node: NodeId, id: string, code: number | null): void;
  /** The agent is about to signal, kill or remove a container that runs. */
  stops(node: NodeId, id: string, step: string): void;
  /** The deadman ended what was there of a task. */
  killed(task: TaskId): void;
}

interface StoredAssignment {
  readonly epoch: number;
  readonly generation: number;
  readonly tasks: readonly TaskRecord['task'][];
}

export class SimMachine {
  readonly node: NodeId;
  readonly fake: FakeNode;
  /** The machine's own clock: its programs end by it. */
  readonly clock: SimProcess;
  readonly deadman: SimDeadman;
  isDiskFull = false;
  /** Of programs that end by themselves, in each second. */
  crashRate = 0;
  readonly #time: SimTime;
  readonly #random: Random;
  readonly #witness: MachineWitness;
  #onEnd: (id: string) => void = () => undefined;
  #assignment: StoredAssignment | undefined;
  #contents: readonly AssignedContent[] = [];
  #nonces: InstanceNames = NO_NAMES;

  constructor(node: NodeId, subnet: number, world: { readonly time: SimTime; readonly random: Random; readonly witness: MachineWitness }) {
    this.node = node;
    this.#time = world.time;
    this.#random = world.random;
    this.#witness = world.witness;
    this.clock = new SimProcess(world.time);
    this.fake = new FakeNode(this.clock, subnet);
    this.deadman = new SimDeadman(world.time, task => {
      const wasThere = this.fake.killTask(task);
      if (wasThere) this.#witness.killed(task);
      return wasThere;
    });
    this.fake.onStarted = id => { this.#begin(id); };
    this.fake.onEnded = id => {
      this.#witness.ended(node, id, this.fake.containers.get(id)?.end?.code ?? null);
      this.#onEnd(id);
    };
    this.fake.onStop = (id, end) => { world.time.after(this.#random.chance(0.1) ? 15_000 : this.#random.between(5, 500), () => { if (this.fake.isRunning(id)) end(); }); };
  }

  reboot(): void {
    this.fake.running().forEach(id => { this.#witness.ended(this.node, id, null); });
    this.fake.reboot();
    this.deadman.reboot();
  }

  /** The ports of one life of the agent. */
  parts(process: SimProcess): ReturnType<FakeNode['parts']> {
    const parts = this.fake.parts();
    const slow = <Port extends object>(name: string, port: Port): Port => this.#slowed(name, port, process);
    return {
      ...parts, node: this.node, deadman: this.deadman,
      images: slow('images', parts.images), snapshots: slow('snapshots', parts.snapshots), network: slow('network', parts.network), proxy: slow('proxy', parts.proxy),
      volumes: slow('volumes', parts.volumes), configs: { ...slow('configs', parts.configs), hold: joined => parts.configs.hold(joined) }, bundles: slow('bundles', parts.bundles), records: slow('records', parts.records),
      cgroups: slow('cgroups', parts.cgroups),
      runtime: { ...slow('runtime', parts.runtime), ends: signal => this.#ends(process, signal) },
      prober: { watch: (target, signal) => this.#verdicts(target.containerId, process, signal) },
    };
  }

  held(process: SimProcess): HeldAssignment {
    return {
      save: async set => {
        await this.#wait(STEP_MS, process);
        this.#requireDisk('assignment.save');
        this.#assignment = { epoch: set.epoch, generation: set.generation, tasks: [...set.tasks.values()] };
        this.#contents = [...set.contents.values()].filter(({ key }) => key.startsWith('config/'));
      },
      load: async () => {
        await this.#wait(STEP_MS, process);
        if (this.#assignment === undefined) {
          return undefined;
        }
        const stored = JSON.parse(JSON.stringify(this.#assignment)) as StoredAssignment;
        return { ...stored, tasks: new Map(stored.tasks.map(task => [task.id, task])), contents: new Map(this.#contents.map(content => [content.key, content])), volumeRemovals: [] } satisfies DesiredSet;
      },
    };
  }

  instance(process: SimProcess, newNonce: () => string): Instance {
    return {
      present: async () => {
        await this.#wait(STEP_MS, process);
        if (this.#nonces.previousNonce === this.#nonces.nextNonce && !this.isDiskFull) {
          this.#nonces = { previousNonce: this.#nonces.nextNonce, nextNonce: newNonce(), clusterId: this.#nonces.clusterId };
        }
        return this.#nonces;
      },
      accepted: async clusterId => {
        await this.#wait(STEP_MS, process);
        this.#nonces = acceptedNames(this.#nonces, clusterId);
      },
    };
  }

  /** Each method of the port that returns a promise: some time before its effect and some after, in which the agent may die. */
  #slowed<Port extends object>(name: string, port: Port, process: SimProcess): Port {
    const methods = Object.entries(port).map(([method, call]): [string, unknown] => {
      const step = `${name}.${method}`;
      const longestMs = longestMsOf(step);
      return SYNCHRONOUS.has(step) ? [method, call] : [method, async (...given: unknown[]): Promise<unknown> => {
        await this.#wait(longestMs, process);
        this.#requireDisk(step);
        this.#tellStop(step, given[0]);
        const result = await (call as (...all: unknown[]) => Promise<unknown>)(...given);
        await this.#wait(longestMs, process);
        return result;
      }];
    });
    return Object.fromEntries(methods) as Port;
  }

  #wait(longestMs: number, process: SimProcess): Promise<void> {
    return new Promise<void>(resolve => { this.#time.after(this.#random.between(0, longestMs), () => { process.enter(resolve); }); });
  }

  #requireDisk(step: string): void {
    if (this.isDiskFull && (DISK_STEPS.has(step) || step === 'assignment.save')) {
      throw new DiskPressureError(`no space left: ${step}`);
    }
  }

  #tellStop(step: string, id: unknown): void {
    if (typeof id === 'string' && STOPPING.has(step) && this.fake.isRunning(id)) {
      this.#witness.stops(this.node, id, step);
    }
  }

  /** The program of a container: by its image it runs on, ends soon, or is never healthy. */
  #begin(id: string): void {
    this.#witness.started(this.node, id);
    const image = this.#imageOf(id);
    const end = (code: number): void => {
      if (this.fake.isRunning(id)) this.fake.exit(id, { code });
    };
    if (image.includes('/crash:')) {
      this.#time.after(this.#random.between(10, CRASH_WITHIN_MS), () => { end(this.#random.between(1, 125)); });
    } else if (image.includes('/work:')) {
      this.#time.after(this.#random.between(500, 10_000), () => { end(this.#random.chance(0.1) ? 3 : 0); });
    } else {
      const live = (): void => {
        if (!this.fake.isRunning(id)) return;
        if (this.#random.chance(this.crashRate * 20)) end(this.#random.between(0, 125));
        this.#time.after(20_000, live);
      };
      this.#time.after(this.#random.between(1, 20_000), live);
    }
  }

  #imageOf(id: string): string {
    const task = parseContainerId(id)?.task;
    return task === undefined ? '' : this.fake.records.get(task)?.task.container.image ?? '';
  }

  async *#ends(process: SimProcess, signal: AbortSignal): ReturnType<ReturnType<FakeNode['parts']>['runtime']['ends']> {
    const ended: string[] = [];
    let wake: () => void = () => undefined;
    this.#onEnd = id => { process.enter(() => { ended.push(id); wake(); }); };
    signal.addEventListener('abort', () => { wake(); });
    while (!signal.aborted) {
      const id = ended.shift();
      const end = id === undefined ? undefined : this.fake.containers.get(id)?.end;
      if (id !== undefined && end !== undefined) {
        yield { id, end };
      } else if (id === undefined) {
        await new Promise<void>(resolve => { wake = resolve; });
      }
    }
  }

  async *#verdicts(id: string, process: SimProcess, signal: AbortSignal): AsyncGenerator<HealthVerdict> {
    await process.sleep(this.#random.between(200, 3_000), signal).catch(() => undefined);
    if (!signal.aborted) {
      yield this.#imageOf(id).includes('/sick:') ? { health: 'unhealthy', message: 'answers 503' } : { health: 'healthy', message: '' };
    }
    await new Promise<void>(resolve => { if (signal.aborted) resolve(); else signal.addEventListener('abort', () => { resolve(); }, { once: true }); });
  }
}

/** A file, or a call of a tool. */
const STEP_MS = 3;

function longestMsOf(step: string): number {
  return step === 'images.ensure' ? 2_000 : step.startsWith('runtime.') ? 30 : STEP_MS;
}

const SYNCHRONOUS: ReadonlySet<string> = new Set(['cgroups.pathFor', 'bundles.pathOf', 'records.logPath', 'runtime.ends', 'runtime.problem']);
const STOPPING: ReadonlySet<string> = new Set(['runtime.kill', 'runtime.remove', 'cgroups.killAll', 'cgroups.freeze']);
