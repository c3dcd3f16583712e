/** What comes in for the services that scale, and what is measured of it: their metric as Prometheus tells it, their cpu as agents report it. */
import type { ServiceId, TaskId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import type { ClusterUsage } from '#model/usage.ts';
import type { Measures, QueryAnswer } from '../../controller/autoscale/ports.ts';
import { Random } from './random.ts';
import { APP_SCALED } from './sim-apps.ts';
import { FAULTS_END_MS } from './sim-schedule.ts';
import type { SimProcess, SimTime } from './sim-time.ts';

/** So long what comes in stays as it is; then it is anything again, until the faults are over. */
const PIECE_MS = 40_000;
/** Of pieces, those in which nobody tells anything. */
const BLIND_SHARE = 0.15;
/** More than the most replicas take, so that limits are met. */
const MOST_UNITS = 7;
/** Off whole numbers, so that the rounding of thousandths of a core to whole ones never makes one replica more. */
const UNITS_OFF = 0.125;
const SLOWEST_ANSWER_MS = 5_000;
const BLIND: QueryAnswer = { kind: 'problem', message: 'the query gives no series' };

export class SimLoad {
  readonly #seed: number;
  readonly #time: SimTime;
  readonly #running: () => readonly { readonly node: Task['node']; readonly task: Task }[];
  readonly #usedMicroseconds = new Map<TaskId, number>();
  readonly #told = new Map<string, QueryAnswer>();
  #countedMs = 0;

  constructor(seed: number, time: SimTime, running: () => readonly { readonly node: Task['node']; readonly task: Task }[]) {
    this.#seed = seed;
    this.#time = time;
    this.#running = running;
  }

  /** How many replicas would take what comes in now, with fractions. */
  units(service: ServiceId): number {
    return this.#piece(service).units;
  }

  /** The newest answer that the controller got for the metric of the service. */
  told(controller: string, service: ServiceId): QueryAnswer | undefined {
    return this.#told.get(`${controller} ${service}`);
  }

  /** What one life of a controller asks. */
  measures(controller: string, process: SimProcess, random: Random): Measures {
    return {
      usage: () => this.#usage(),
      query: async query => await process.answer<QueryAnswer>(resolve => {
        this.#time.after(random.between(5, SLOWEST_ANSWER_MS), () => {
          const { units, isBlind } = this.#piece(query);
          const answer: QueryAnswer = isBlind ? BLIND : { kind: 'value', value: units * APP_SCALED.queue.target };
          this.#told.set(`${controller} ${query}`, answer);
          resolve(answer);
        });
      }),
    };
  }

  #piece(service: string): { readonly units: number; readonly isBlind: boolean } {
    const { nowMs } = this.#time;
    const number = Math.min(Math.floor(nowMs / PIECE_MS), Math.ceil(FAULTS_END_MS / PIECE_MS));
    const random = new Random(this.#seed * 41 + number * 1_009 + service.length);
    const units = random.chance(0.2) ? 0 : random.between(1, MOST_UNITS * 4) / 4 - UNITS_OFF;
    return { units, isBlind: nowMs < FAULTS_END_MS && random.chance(BLIND_SHARE) };
  }

  #usage(): ClusterUsage {
    const tasks = this.#running().filter(({ task }) => task.serviceId === APP_SCALED.crunch.id);
    const passedMs = this.#time.nowMs - this.#countedMs;
    this.#countedMs = this.#time.nowMs;
    const { units, isBlind } = this.#piece(APP_SCALED.crunch.id);
    const milliCpu = units * APP_SCALED.crunch.milliCpu * APP_SCALED.crunch.cpuPercent / 100 / Math.max(1, tasks.length);
    for (const { task: { id } } of tasks) {
      this.#usedMicroseconds.set(id, (this.#usedMicroseconds.get(id) ?? 0) + milliCpu * passedMs);
    }
    return {
      isNatsConnected: !isBlind,
      tasks: tasks.map(({ node, task }) => ({
        sample: {
          node, task: task.id, atMs: this.#time.nowMs, cpuMicroseconds: this.#usedMicroseconds.get(task.id) ?? 0, memoryBytes: 2 ** 20, memoryLimitBytes: 0, processes: 1,
          networkReceiveBytes: 0, networkTransmitBytes: 0, ioReadBytes: 0, ioWriteBytes: 0,
        },
      })),
    };
  }
}
