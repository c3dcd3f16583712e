/**
 * One machine as an agent sees it: runtime, network, images, disk, in memory. It outlives the agents that work on it.
 *
 * Every call that changes or reads it is a numbered step; `crashAt` lets the agent die at one of them, before or after its effect. From
 * then on every call of that agent throws, until `restartAgent`.
 */
import { TASK_ADDRESSES } from '#model/addressing.ts';
import type { AssignedContent } from '#model/assignment.ts';
import type { Clock } from '#kit/clock.ts';
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import { parseNodeId } from '#model/ids.ts';
import { parseDigest } from '#model/digest.ts';
import type { TaskResources } from '#model/resources.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { volumeNames } from '#model/volume.ts';
import type { HealthVerdict } from '../../agent/health/ports.ts';
import type { LocalImage } from '../../agent/image/ports.ts';
import type { NetworkSlot } from '../../agent/network/ports.ts';
import type { ContainerEnd, ContainerState, CreatedContainer } from '../../agent/runtime/ports.ts';
import { formatLogName } from '../../agent/task/log-name.ts';
import { containerId, parseContainerId } from '../../agent/task/names.ts';
import type { ContainerName } from '../../agent/task/names.ts';
import type { TaskParts } from '../../agent/task/ports.ts';
import type { TaskRecord } from '../../agent/task/record.ts';
import { StartGate } from '../../agent/task/start-gate-flow.ts';
import { FakeSteps } from './fake-steps.ts';
import { silentLogger } from './silent-logger.ts';

export const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`);

interface FakeContainer {
  state: ContainerState;
  end?: ContainerEnd;
  readonly pids: CreatedContainer;
  readonly createdAtMs: number;
  isMonitorAlive: boolean;
  readonly signals: string[];
}

export class FakeNode extends FakeSteps {
  readonly containers = new Map<string, FakeContainer>();
  readonly rootfs = new Set<string>();
  readonly slots = new Map<string, NetworkSlot>();
  readonly files = new Set<string>();
  /** The data of named volumes: the task that wrote it first. */
  readonly volumes = new Map<string, TaskId>();
  /** The highest fence of those that used it since. */
  readonly volumeUsers = new Map<string, number>();
  readonly bundles = new Set<string>();
  /** Addresses of tasks that the proxy lets out. */
  readonly admitted = new Set<string>();
  /** What containers are held to, and which stand still, by id. */
  readonly limits = new Map<string, TaskResources>();
  readonly frozen = new Set<string>();
  /** A lower limit is refused, as the kernel would. */
  memoryInUseBytes = 0;
  readonly records = new Map<TaskId, TaskRecord>();
  /** Tasks whose directory has no readable record. */
  readonly corrupt = new Set<TaskId>();
  readonly journal: string[] = [];
  /** Ids in the order of their starts. */
  readonly started: string[] = [];
  readonly statuses: TaskStatus[] = [];
  readonly events: string[] = [];
  readonly violations: string[] = [];
  /** Calls before the first word that a process is about to move into its groups. */
  callsBeforeMove: number | undefined;
  /** What a process of the machine has of the task's host ports, in words; and why no container can be created. */
  takenPort: string | undefined;
  networkProblem: string | undefined;
  runtimeProblem: string | undefined;
  mayStart = true;
  cutOffInMs = 1_000_000_000;
  hasDeadman = true;
  /** Attempts that have their time, by task. */
  readonly guarded = new Map<TaskId, number>();
  /** Ids of main containers. */
  readonly deadmanKilled = new Set<string>();
  hasImage = true;
  /** Namespaces that may not use it: another one's login brought it. */
  readonly imageRefusedTo = new Set<string>();
  /** What the registry client tries again in each pull. */
  pullRetries: readonly string[] = [];
  bootId = 'boot-1';
  /** What a started container does at the stop signal; undefined: it goes on. */
  onSignal: { readonly code: number } | undefined = { code: 143 };
  onVerdict: (deliver: (verdict: HealthVerdict) => void) => void = () => undefined;
  /** Ends a container that got its stop signal; at once unless replaced. */
  onStop: (id: string, end: () => void) => void = (_id, end) => { end(); };
  onStarted: (id: string) => void = () => undefined;
  onEnded: (id: string) => void = () => undefined;
  readonly #clock: Clock;
  readonly #subnet: number;
  #nextSlot = 2;
  #nextPid = 100;
  #onEnd: (id: string) => void = () => undefined;

  constructor(clock: Clock, subnet = 1) {
    super();
    this.#clock = clock;
    this.#subnet = subnet;
  }

  /** Power loss: what is on disk stays. */
  reboot(): void {
    for (const gone of [this.containers, this.rootfs, this.slots, this.bundles, this.admitted, this.limits, this.frozen]) {
      gone.clear();
    }
    this.bootId = `boot-${String(Number(this.bootId.slice('boot-'.length)) + 1)}`;
  }

  /** Every container of the task ends, as by the deadman's hand; false when none is there that could run. */
  killTask(task: TaskId): boolean {
    const there = [...this.containers].filter(([id, { state }]) => parseContainerId(id)?.task === task && state !== 'stopped');
    for (const [id, container] of there) {
      container.state = 'running';
      this.exit(id, { code: 137 });
    }
    return there.length > 0;
  }

  /** The container's program ends by itself. */
  exit(id: string, end: Partial<ContainerEnd> & { readonly code: number | null }): void {
    const container = this.containers.get(id);
    if (container?.state !== 'running') {
      throw new Error(`${id} does not run`);
    }
    container.state = 'stopped';
    container.end = { isOomKilled: false, finishedAtMs: this.#clock.nowMs(), ...end };
    this.#onEnd(id);
    this.onEnded(id);
  }

  isRunning(id: string): boolean {
    return this.containers.get(id)?.state === 'running';
  }

  running(): readonly string[] {
    return [...this.containers].filter(([, container]) => container.state === 'running').map(([id]) => id);
  }

  /** Everything of attempts and tasks that is there now, records apart. */
  leftovers(): readonly string[] {
    return [
      ...[...this.containers.keys()].map(id => `container ${id}`), ...[...this.rootfs].map(id => `rootfs ${id}`),
      ...[...this.slots.keys()].map(id => `slot ${id}`), ...[...this.files].map(id => `files ${id}`), ...[...this.bundles].map(id => `bundle ${id}`),
      ...[...this.admitted].map(address => `address ${address}`),
    ];
  }

  lastStatus(): TaskStatus | undefined {
    return this.statuses.at(-1);
  }

  parts(): TaskParts & { readonly network: TaskParts['network'] & { adopt(slot: NetworkSlot): Promise<boolean>; sweep(keep: ReadonlySet<string>): Promise<void> } } {
    return {
      node: parseNodeId('n1'), bootId: this.bootId, clock: this.#clock, log: silentLogger, random: () => 0.5, startGate: new StartGate(2, this.#clock), onStep: () => undefined,
      images: {
        find: (_digest, namespace) => this.step('images.find', () => this.hasImage && (namespace === undefined || !this.imageRefusedTo.has(namespace)) ? this.#image() : undefined),
        ensure: async (request, onProgress) => {
          if (!this.hasImage) await request.onAbsent?.();
          return await this.step('images.ensure', () => {
            if (this.imageRefusedTo.has(request.namespace ?? '')) throw new ClusterError('PERMISSION_DENIED', `image ${request.image}: access denied`);
            this.pullRetries.forEach((lastRetry, index) => { onProgress({ layers: [], retries: index + 1, lastRetry }); });
            this.hasImage = true;
            return this.#image();
          });
        },
        prune: () => Promise.resolve({ freedBytes: 0 }),
      },
      snapshots: {
        prepare: key => this.step('snapshots.prepare', () => { this.rootfs.add(key); return { rootfsPath: `/rootfs/${key}` }; }),
        remove: key => this.step('snapshots.remove', () => { this.rootfs.delete(key); }),
        list: () => this.step('snapshots.list', () => [...this.rootfs]),
        limit: () => Promise.resolve(false),
        isMounted: key => Promise.resolve(this.rootfs.has(key)),
      },
      network: {
        acquire: () => this.step('network.acquire', () => this.#acquire()),
        release: id => this.step('network.release', () => { this.slots.delete(id); }),
        adopt: slot => this.step('network.adopt', () => this.slots.has(slot.id)),
        // The proxy of a new agent replaces the whole table: it lets out whom this agent admits.
        sweep: keep => this.step('network.sweep', () => {
          [...this.slots.keys()].filter(id => !keep.has(id)).forEach(id => { this.slots.delete(id); });
          const addresses = new Set([...this.slots.values()].map(({ address }) => address));
          [...this.admitted].filter(address => !addresses.has(address)).forEach(address => { this.admitted.delete(address); });
        }),
      },
      networkProblem: () => this.networkProblem,
      devices: { take: () => { this.failAsTold('devices.take'); return []; }, release: () => undefined, adopt: () => undefined },
      proxy: {
        admit: address => this.step('proxy.admit', () => { this.admitted.add(address); }),
        dismiss: address => this.step('proxy.dismiss', () => { this.admitted.delete(address); }),
      },
      hostPorts: { taken: () => Promise.resolve(this.takenPort) },
      volumes: {
        prepare: (task: Task, key: string, _mapping: unknown, _contents: ReadonlyMap<string, AssignedContent>) => this.step('volumes.prepare', () => {
          this.files.add(key);
          volumeNames(task, task.slot).forEach(name => { this.volumeUsers.set(name, Math.max(task.fence, this.volumeUsers.get(name) ?? 0)); });
          volumeNames(task, task.slot).filter(name => !this.volumes.has(name)).forEach(name => { this.volumes.set(name, task.id); });
          return [];
        }),
        remove: key => this.step('volumes.remove', () => { this.files.delete(key); }),
        list: () => this.step('volumes.list', () => [...this.files]),
        dataBytes: () => Promise.resolve(0),
        newestUser: name => Promise.resolve(this.volumeUsers.get(name)),
        removeData: name => this.step('volumes.removeData', () => {
          this.volumes.delete(name);
          this.volumeUsers.delete(name);
        }),
        recall: () => Promise.resolve([]),
      },
      runtime: this.#runtime(),
      cgroups: {
        pathFor: id => `/gantry/${id}`,
        expectMove: () => { this.callsBeforeMove ??= this.calls.length; },
        killAll: id => this.step('cgroups.killAll', () => { this.#kill(id, null); }),
        limit: (id, resources) => this.step('cgroups.limit', () => this.#limit(id, resources)),
        freeze: id => this.step('cgroups.freeze', () => { this.frozen.add(id); }),
        thaw: id => this.step('cgroups.thaw', () => { this.frozen.delete(id); }),
      },
      dns: { resolvConf: () => 'nameserver 10.128.1.1\n' },
      prober: { watch: (_target, signal) => this.#verdicts(signal) },
      configs: {
        userOf: () => this.step('configs.userOf', () => ({ uid: 0, gid: 0, additionalGids: [], home: '/root' })),
        hold: () => ({ paths: {}, [Symbol.dispose]: () => undefined }),
        configJson: () => this.step('configs.configJson', () => '{}'),
      },
      bundles: {
        create: id => this.step('bundles.create', () => { this.bundles.add(id); return `/bundles/${id}`; }),
        pathOf: id => `/bundles/${id}`,
        remove: id => this.step('bundles.remove', () => { this.bundles.delete(id); }),
        list: () => this.step('bundles.list', () => [...this.bundles]),
      },
      records: {
        save: record => this.step('records.save', () => { this.records.set(record.task.id, record); }),
        load: () => this.step('records.load', () => ({ records: [...this.records.values()].map(record => JSON.parse(JSON.stringify(record)) as TaskRecord), corrupt: [...this.corrupt] })),
        makeLogs: () => this.step('records.makeLogs', () => undefined),
        forget: task => this.step('records.forget', () => { this.records.delete(task); this.corrupt.delete(task); }),
        appendStart: name => this.step('records.appendStart', () => { this.journal.push(journalLine(name)); }),
        lastStarts: () => this.step('records.lastStarts', () => new Map(this.journal.map(line => [line.slice(0, 12) as TaskId, Number(line.split(' ')[1])]))),
        dropLogs: () => this.step('records.dropLogs', () => undefined),
        logPath: (task, log) => `/logs/${task}/${formatLogName(log)}`,
        previousLogPath: () => Promise.resolve(undefined),
      },
      statuses: { report: status => { this.statuses.push(status); }, drop: () => undefined },
      events: { happened: event => { this.events.push(event.reason); } },
      permit: { mayStart: () => this.mayStart, untilCutOffMs: () => this.cutOffInMs },
      deadman: {
        guard: ({ id, stopAfterMs }, attempt) => {
          if (stopAfterMs === undefined) return true;
          if (this.hasDeadman) this.guarded.set(id, attempt);
          return this.hasDeadman;
        },
        release: task => { this.guarded.delete(task); },
        releaseAllBut: tasks => { [...this.guarded.keys()].filter(task => !tasks.has(task)).forEach(task => { this.guarded.delete(task); }); },
        hasKilled: (task, attempt) => this.deadmanKilled.has(containerId(task, attempt)),
      },
    };
  }

  #limit(id: string, resources: TaskResources): readonly string[] {
    if (resources.limits.memoryBytes < this.memoryInUseBytes) {
      throw new ClusterError('FAILED_PRECONDITION', `memory ${String(resources.limits.memoryBytes)} is below the ${String(this.memoryInUseBytes)} in use`);
    }
    this.limits.set(id, resources);
    return [];
  }

  #runtime(): TaskParts['runtime'] {
    return {
      problem: () => this.runtimeProblem,
      create: request => this.step('runtime.create', () => this.#create(request.id)),
      created: id => this.step('runtime.created', () => {
        const container = this.containers.get(id);
        return container === undefined ? undefined : { ...container.pids, createdAtMs: container.createdAtMs };
      }),
      start: id => this.step('runtime.start', () => { this.#start(id); }),
      state: id => this.step('runtime.state', () => this.containers.get(id)?.state ?? 'absent'),
      kill: (id, signal, everyProcess) => this.step('runtime.kill', () => { this.#signal(id, signal, everyProcess); }),
      remove: id => this.step('runtime.remove', () => { this.containers.delete(id); }),
      list: () => this.step('runtime.list', () => [...this.containers.keys()]),
      readEnd: id => this.step('runtime.readEnd', () => this.containers.get(id)?.end),
      ends: signal => this.#ends(signal),
      endAbandonedExecs: () => Promise.resolve(),
      exec: () => Promise.reject(new Error('no exec here')),
      attach: () => Promise.reject(new Error('no attach here')),
      run: () => Promise.reject(new Error('no debugger here')),
      isAlive: identity => this.step('runtime.isAlive', () => [...this.containers.values()].some(one =>
        (one.pids.container.pid === identity.pid && one.state !== 'stopped') || (one.pids.monitor.pid === identity.pid && one.isMonitorAlive))),
    };
  }

  async *#ends(signal: AbortSignal): AsyncGenerator<{ readonly id: string; readonly end: ContainerEnd }> {
    while (!signal.aborted) {
      const id = await new Promise<string | undefined>(resolve => {
        this.#onEnd = resolve;
        signal.addEventListener('abort', () => { resolve(undefined); }, { once: true });
      });
      const end = id === undefined ? undefined : this.containers.get(id)?.end;
      if (id !== undefined && end !== undefined) {
        yield { id, end };
      }
    }
  }

  async *#verdicts(signal: AbortSignal): AsyncGenerator<HealthVerdict> {
    const waiting: HealthVerdict[] = [];
    let open: () => void = () => undefined;
    this.onVerdict(verdict => { waiting.push(verdict); open(); });
    while (!signal.aborted) {
      const verdict = waiting.shift();
      if (verdict !== undefined) {
        yield verdict;
        continue;
      }
      await new Promise<void>(resolve => {
        open = resolve;
        signal.addEventListener('abort', () => { resolve(); }, { once: true });
      });
    }
  }

  #image(): LocalImage {
    const config = { user: '', environment: [], entrypoint: [], command: ['/bin/app'], workingDir: '/', stopSignal: 'SIGQUIT' };
    return { digest: DIGEST, config, layers: ['layer-1'], sizeBytes: 1 };
  }

  #acquire(): NetworkSlot {
    if (this.slots.size >= TASK_ADDRESSES) {
      throw new ClusterError('RESOURCE_EXHAUSTED', 'the node\'s subnet has no free address');
    }
    const number = this.#nextSlot;
    this.#nextSlot += 1;
    const id = `s${String(number)}`;
    const slot = { id, userNamespacePath: `/ns/${id}/user`, networkNamespacePath: `/ns/${id}/net`, hostBase: 1_048_576 + 65_536 * number, address: `10.128.${String(this.#subnet)}.${String(number)}` };
    this.slots.set(id, slot);
    return slot;
  }

  #create(id: string): CreatedContainer {
    if (this.containers.has(id)) {
      throw new ClusterError('ALREADY_EXISTS', `container ${id} exists`);
    }
    const pids = { container: { pid: this.#nextPid, startTicks: this.#nextPid }, monitor: { pid: this.#nextPid + 1, startTicks: this.#nextPid + 1 } };
    this.#nextPid += 2;
    this.containers.set(id, { state: 'created', pids, createdAtMs: this.#clock.nowMs(), isMonitorAlive: true, signals: [] });
    return pids;
  }

  /** I1 is checked here: one start a container's run, journaled before; one running container of each place in a task. */
  #start(id: string): void {
    const container = this.containers.get(id);
    const name = parseContainerId(id);
    if (container?.state !== 'created' || name === undefined) {
      throw new Error(`${id} is not created`);
    }
    const line = journalLine(name);
    if (this.journal.filter(one => one === line).length !== 1) this.violations.push(`${line} is not once in the journal`);
    if (this.started.includes(id)) this.violations.push(`${id} started twice`);
    if (this.running().map(parseContainerId).some(other => other?.task === name.task && (other.companion?.index === name.companion?.index || other.attempt !== name.attempt))) this.violations.push(`two containers of ${id}`);
    container.state = 'running';
    this.started.push(id);
    this.onStarted(id);
  }

  #signal(id: string, signal: string, everyProcess: boolean): void {
    if (this.frozen.has(id)) this.violations.push(`${signal} sent to ${id}, which is frozen and does not take it`);
    this.containers.get(id)?.signals.push(signal);
    if (signal === 'KILL' && everyProcess) {
      this.#kill(id, 137);
    } else if (this.onSignal !== undefined) {
      const { code } = this.onSignal;
      this.onStop(id, () => { this.#kill(id, code); });
    }
  }

  #kill(id: string, code: number | null): void {
    if (this.containers.get(id)?.state === 'running') {
      this.exit(id, { code });
    }
  }
}

function journalLine({ task, attempt, companion }: ContainerName): string {
  return `${task} ${String(attempt)}${companion === undefined ? '' : ` c${String(companion.index)} ${String(companion.run)}`}`;
}
