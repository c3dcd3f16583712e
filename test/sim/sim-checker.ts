/**
 * Judges one simulated run: I1 to I18 as reliability.md has them, and I19 of endpoints, after each etcd revision, each start and end of a container, and at rest.
 *
 * It reads what etcd holds and what machines do; of the product it uses the decoding of records and nothing that decides.
 */
import { createHash } from 'node:crypto';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { Revision } from '#model/app.ts';
import type { EndpointSet } from '#model/endpoints.ts';
import type { AppId, NodeId, ServiceId, TaskId } from '#model/ids.ts';
import { phaseOrder } from '#model/task.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { volumeId, volumeName, volumeNames } from '#model/volume.ts';
import { parseContainerId } from '../../agent/task/names.ts';
import { appOfService, parseKey } from '../../controller/store/keys.ts';
import type { RecordKey } from '../../controller/store/keys.ts';
import type { StoreBatch } from '../../controller/store/ports.ts';
import { decodeRevision } from '../../controller/store/records.ts';
import { ClusterMirror } from '../../controller/store/snapshot.ts';
import { fitProblems, isServing, quotaProblems, replacedProblems, servingSlots } from './sim-budgets.ts';
import type { Before } from './sim-budgets.ts';
import { EndpointWatch } from './sim-endpoints.ts';
import type { Writer } from './sim-etcd.ts';
import type { MachineWitness } from './sim-machine.ts';
import { PlacementWatch } from './sim-placement.ts';
import { NodeSilence } from './sim-silence.ts';
import { SoonWatch } from './sim-soon.ts';
import { ScaleWatch } from './sim-scale.ts';
import type { ScaleWorld } from './sim-scale.ts';

const LEADERS_KINDS: ReadonlySet<RecordKey['kind']> = new Set(['task', 'ledger', 'service-status', 'mass-breaker']);

/** True for what only a leader writes. */
export function isLeaders(key: RecordKey | undefined): boolean {
  return key !== undefined && LEADERS_KINDS.has(key.kind);
}

export interface CheckerTimes {
  readonly nowMs: () => number;
  /** Silence before a node may be given up, less what clocks and messages differ by. */
  readonly lossMs: number;
  /** So old a heartbeat may be when it is acknowledged. */
  readonly ackAgeMs: number;
}

interface RunningContainer {
  readonly node: NodeId;
  readonly id: string;
  readonly task: Task;
}

export class SimChecker implements MachineWitness {
  readonly violations: string[] = [];
  /** How often each thing happened: shows what a run reached. */
  readonly reached = new Map<string, number>();
  readonly #mirror = new ClusterMirror();
  readonly endpoints: EndpointWatch;
  readonly placement: PlacementWatch;
  readonly soon: SoonWatch;
  readonly #hash = createHash('sha256');
  readonly #times: CheckerTimes;
  readonly #scale: ScaleWatch;
  readonly #running = new Map<string, RunningContainer>();
  readonly #startedOn = new Map<string, NodeId>();
  readonly #endCodes = new Map<string, number | null>();
  /** Every task ever placed. */
  readonly #placed = new Map<TaskId, Task>();
  /** By App, number and life of the App. */
  readonly #revisions = new Map<string, Revision>();
  readonly #requests = new Set<string>();
  readonly #silence: NodeSilence;
  readonly #jobsDone = new Set<string>();
  readonly #runs = new Set<ServiceId>();
  /** Containers of exclusive tasks that were cut off. */
  readonly #stopping = new Set<string>();
  /** Where containers wrote into volumes, by `volumeName`; an operator who gave data up is heeded from then on. */
  readonly #data = new Map<string, NodeId>();

  constructor(times: CheckerTimes, scaled: Omit<ScaleWorld, 'nowMs'>) {
    this.#times = times;
    this.#silence = new NodeSilence(times.nowMs);
    this.placement = new PlacementWatch(times.nowMs);
    const isRunning = ({ id }: Task): boolean => this.running.some(one => one.task.id === id && !isCompanion(one.id));
    this.soon = new SoonWatch({ nowMs: times.nowMs, placement: this.placement, isRunning, lastAckMs: node => this.#silence.lastAckMs(node), onDue: kind => { this.count(`due: ${kind}`); } });
    this.endpoints = new EndpointWatch(times.nowMs);
    this.#scale = new ScaleWatch({ ...scaled, nowMs: times.nowMs });
  }

  get snapshot(): ClusterSnapshot {
    return this.#mirror.current;
  }

  get data(): ReadonlyMap<string, NodeId> {
    return this.#data;
  }

  get running(): readonly RunningContainer[] {
    return [...this.#running.values()];
  }

  traceHash(): string {
    return this.#hash.copy().digest('hex');
  }

  /** An acknowledgement of that time reached the node's agent; what waited in front of one that stood still is as old as it is. */
  acknowledged(node: string, sentAtMs: number): void {
    this.#silence.acknowledged(node, sentAtMs);
  }

  violate(text: string): void {
    if (this.violations.length < 5) {
      this.violations.push(`at ${String(this.#times.nowMs())} ms: ${text}`);
    }
  }

  committed(batch: StoreBatch, writer: Writer | undefined): void {
    const keys = batch.changes.map(change => parseKey(change.kind === 'put' ? change.entry.key : change.key));
    const isOfLeader = writer?.epoch !== undefined && keys.some(isLeaders);
    if (isOfLeader && this.snapshot.epoch > (writer.epoch ?? 0)) {
      this.violate(`I2: ${writer.client} of epoch ${String(writer.epoch)} wrote ${String(keys[0]?.kind)} in epoch ${String(this.snapshot.epoch)}`);
    }
    const before = this.#before(batch, keys);
    this.#mirror.apply(batch);
    this.endpoints.look(this.snapshot, batch.etcdRevision, keys);
    this.#trace(batch);
    for (const line of [...this.#checkRecords(batch, keys, before), ...fitProblems(this.snapshot, keys), ...quotaProblems(this.snapshot, before), ...this.placement.problems(this.snapshot, keys, before), ...this.#scale.problems(this.snapshot, keys, writer?.client), ...this.#checkAtomic(batch, keys)]) {
      this.violate(line);
    }
    if (isOfLeader) {
      replacedProblems(this.snapshot, before).forEach(problem => { this.violate(problem); });
    }
  }

  applied(node: NodeId, set: EndpointSet): void {
    this.endpoints.applied(node, set).forEach(problem => { this.violate(problem); });
  }

  started(node: NodeId, id: string): void {
    const name = parseContainerId(id);
    const task = name === undefined ? undefined : this.#placed.get(name.task);
    this.count('container started');
    if (name === undefined || task === undefined) {
      this.violate(`I1: ${id} was started on ${node}, and no such task was ever placed`);
      return;
    }
    const earlier = this.#startedOn.get(id);
    if (earlier !== undefined) this.violate(`I1: ${id} was started on ${earlier} and again on ${node}`);
    if (task.node !== node) this.violate(`I1: ${id} was started on ${node}, placed on ${task.node}`);
    this.#startedOn.set(id, node);
    this.#checkAlone(task, id, node);
    this.#checkData(task, node);
    this.#running.set(id, { node, id, task });
    this.#hash.update(`start ${id} ${node}\n`);
  }

  /** I11. */
  #checkAlone(task: Task, id: string, node: NodeId): void {
    if ((task.kind !== 'stateful' && task.stopAfterMs === undefined) || isCompanion(id)) {
      return;
    }
    for (const other of this.#running.values()) {
      if (other.task.serviceId === task.serviceId && other.task.slot === task.slot && !isCompanion(other.id)) {
        this.violate(`I11: ${task.name} starts on ${node} while ${other.task.name} runs on ${other.node}`);
      }
    }
  }

  /** I11: a task goes on with its data, also in another life of its App. */
  #checkData(task: Task, node: NodeId): void {
    for (const name of task.kind === 'global' ? [] : volumeNames(task, task.slot)) {
      const home = this.#data.get(name) ?? node;
      if (home !== node) this.violate(`I11: ${task.name} starts on ${node}, the data of its volume ${name} is on ${home}`);
      if (this.#data.has(name)) this.count('data found again');
      // A last attempt in what is being given up.
      if (this.snapshot.volumes.get(volumeId(name, node))?.value.state === 'present') this.#data.set(name, home);
    }
  }

  #checkVolume(key: Extract<RecordKey, { readonly kind: 'volume' }>): readonly string[] {
    const volume = this.snapshot.volumes.get(volumeId(`${key.namespace}/${key.name}`, key.node))?.value;
    if (volume !== undefined && volume.state !== 'present' && this.#data.get(volumeName(volume)) === volume.node) {
      this.count(`data ${volume.state}`);
      this.#data.delete(volumeName(volume));
    }
    return [];
  }

  ended(_node: NodeId, id: string, code: number | null): void {
    this.#running.delete(id);
    this.#endCodes.set(id, code);
    this.count('container ended');
  }

  /** I6: only what etcd no longer wants, or what is not healthy, is stopped. */
  stops(node: NodeId, id: string, step: string): void {
    const ofTask = parseContainerId(id)?.task;
    if (ofTask === undefined || isCompanion(id)) {
      return;
    }
    const task = this.snapshot.tasks.get(ofTask)?.value;
    const isWanted = task?.desired === 'run' && !task.isPaused && !task.container.image.includes('/sick:');
    if (isWanted && this.snapshot.statuses.has(ofTask) && !this.#mayStopItself(node, id, task)) {
      this.violate(`I6: ${node} does ${step} to ${task.name}, which is wanted and healthy`);
    }
  }

  /** An exclusive task of a node that is cut off; once it is told to stop, nobody takes that back. */
  #mayStopItself(node: NodeId, id: string, { stopAfterMs }: Task): boolean {
    if (this.#stopping.has(id)) return true;
    if (stopAfterMs === undefined || this.#silence.longestMs(node) < stopAfterMs - this.#times.ackAgeMs) return false;
    this.count('stopped itself');
    this.#stopping.add(id);
    return true;
  }

  killed(_task: TaskId): void {
    this.count('killed by the deadman');
  }

  /** What was there of the tasks and services that a batch touches. */
  #before(batch: StoreBatch, keys: readonly (RecordKey | undefined)[]): Before {
    const { snapshot } = this;
    const ids = new Set(keys.flatMap(key => (key?.kind === 'task' || key?.kind === 'status' ? [key.id] : [])));
    const tasks = new Map([...ids].map(id => [id, { task: snapshot.tasks.get(id)?.value, status: snapshot.statuses.get(id)?.value }]));
    const conditions = new Map(keys.flatMap(key => (key?.kind === 'node' ? [[key.id, snapshot.nodes.get(key.id)?.value.condition] as const] : [])));
    const stopped = [...tasks.values()].flatMap(({ task }) => (task === undefined ? [] : [task.serviceId]));
    const created = batch.changes.length === 0 ? [] : keys.flatMap(key => (key?.kind === 'service-status' ? [key.id] : []));
    const services = new Set<ServiceId>([...stopped, ...created]);
    return { tasks, conditions, serving: new Map([...services].map(id => [id, servingSlots(snapshot, id)])) };
  }

  #trace(batch: StoreBatch): void {
    for (const change of batch.changes) {
      this.#hash.update(`${String(batch.etcdRevision)} ${change.kind === 'put' ? change.entry.key : `-${change.key}`}\n`);
      if (change.kind === 'put') this.#hash.update(change.entry.value);
    }
  }

  #checkRecords(batch: StoreBatch, keys: readonly (RecordKey | undefined)[], before: Before): readonly string[] {
    return batch.changes.flatMap((change, index): readonly string[] => {
      const key = keys[index];
      if (change.kind !== 'put') {
        return [];
      }
      switch (key?.kind) {
        case 'task': return this.#checkTask(key.id, before);
        case 'status': return this.#checkStatus(key.id, before);
        case 'service': return [...this.#checkService(key.id), ...this.#checkRun(key.id)];
        case 'node': return this.#checkLoss(key.id, before);
        case 'volume': return this.#checkVolume(key);
        case 'request': {
          const isSecond = this.#requests.has(key.id);
          this.#requests.add(key.id);
          return isSecond ? [`I13: request ${key.id} was carried out twice`] : [];
        }
        default: return [];
      }
    });
  }

  /** I18. */
  #checkLoss(id: NodeId, before: Before): readonly string[] {
    const node = this.snapshot.nodes.get(id)?.value;
    if (node?.condition !== 'lost' || before.conditions.get(id) === 'lost') {
      return [];
    }
    this.count('node lost');
    const nowMs = this.#times.nowMs();
    const silentMs = nowMs - (this.#silence.lastAckMs(id) ?? nowMs);
    return node.isLossConfirmed || silentMs >= this.#times.lossMs ? [] : [`I18: ${id} is lost ${String(silentMs)} ms after a heartbeat of it was acknowledged`];
  }

  /** I3, also of what a rollback wrote: all of it is of one Revision, but for the replicas that `scale` set. */
  #checkService(id: ServiceId): readonly string[] {
    const service = this.snapshot.services.get(id)?.value;
    const revision = service === undefined ? undefined : this.#revisions.get(this.#revisionName(appOfService(id), service.revision));
    const spec = revision?.services.find(({ name }) => name === service?.name);
    if (service === undefined || revision === undefined || spec === undefined) {
      return [];
    }
    const isWhole = JSON.stringify({ ...service.spec, replicas: 0 }) === JSON.stringify({ ...spec, replicas: 0 }) && JSON.stringify(service.pins) === JSON.stringify(revision.pins);
    return isWhole ? [] : [`I3: service ${id} is not as its revision ${String(service.revision)} has it`];
  }

  /** I13: a time of a cron is run once, whoever leads and whatever is kept of it. */
  #checkRun(id: ServiceId): readonly string[] {
    const entry = this.snapshot.services.get(id);
    const run = entry?.value.cronRun;
    if (entry === undefined || run === undefined || entry.createRevision !== entry.modRevision) {
      return [];
    }
    this.count('cron run');
    const isSecond = !run.isManual && this.#runs.has(id);
    this.#runs.add(id);
    return isSecond ? [`I13: the run ${id} was made twice`] : [];
  }

  #revisionName(app: AppId, number: number): string {
    return `${app} ${String(number)} ${String(this.snapshot.apps.get(app)?.createRevision)}`;
  }

  #checkTask(id: TaskId, before: Before): readonly string[] {
    const task = this.snapshot.tasks.get(id)?.value;
    const previous = before.tasks.get(id)?.task;
    if (task === undefined) {
      return [`record of task ${id} cannot be read`];
    }
    this.#placed.set(id, task);
    if (previous === undefined) {
      this.count(`task made: ${task.reason}${exclusiveMark(task)}`);
      const job = `${task.serviceId}/${String(task.slot)}/${task.templateHash}`;
      return task.kind === 'job' && this.#jobsDone.has(job) ? [`I1: job slot ${job} is run again after it completed`] : [];
    }
    if (previous.desired === 'run' && task.desired === 'stop') this.count(`task stopped: ${task.reason}`);
    const isBack = previous.node !== task.node || (previous.desired === 'stop' && task.desired === 'run');
    return isBack ? [`I14: task ${task.name} went from ${previous.node} ${previous.desired} to ${task.node} ${task.desired}`] : [];
  }

  #checkStatus(id: TaskId, before: Before): readonly string[] {
    const status = this.snapshot.statuses.get(id)?.value;
    const task = this.snapshot.tasks.get(id)?.value;
    const previous = before.tasks.get(id)?.status;
    if (status === undefined || task === undefined) {
      return [];
    }
    if (task.kind === 'job' && hasSucceeded(status)) this.#jobsDone.add(`${task.serviceId}/${String(task.slot)}/${task.templateHash}`);
    return [
      ...(isBack(previous, status) ? [`I14: status of ${task.name} went from ${statusText(previous)} to ${statusText(status)}`] : []),
      ...(status.node === task.node ? [] : [`I14: ${status.node} reports ${task.name}, placed on ${task.node}`]),
      ...this.#checkExit(task, status),
    ];
  }

  /** I16. What no agent could see may be told as unknown, with a reason. */
  #checkExit(task: Task, { lastExit }: TaskStatus): readonly string[] {
    if (lastExit === undefined) {
      return [];
    }
    const id = `gantry-${task.id}-${String(lastExit.attempt)}`;
    const real = this.#endCodes.get(id);
    if (lastExit.code === null) {
      return lastExit.reason === '' ? [`I16: ${task.name} ended with an unknown code and no reason`] : [];
    }
    return this.#startedOn.has(id) && real !== lastExit.code ? [`I16: ${task.name} attempt ${String(lastExit.attempt)} is reported with ${String(lastExit.code)}, it was ${String(real)}`] : [];
  }

  /** I3: a Revision comes with its App and all its services, as it has them. */
  #checkAtomic(batch: StoreBatch, keys: readonly (RecordKey | undefined)[]): readonly string[] {
    const { snapshot } = this;
    return batch.changes.flatMap((change, index): readonly string[] => {
      const key = keys[index];
      if (change.kind !== 'put' || key?.kind !== 'revision') {
        return [];
      }
      this.count('revision');
      const revision = decodeRevision(change.entry.value);
      const name = this.#revisionName(key.app, key.number);
      const torn = revision.services.filter(spec => JSON.stringify(snapshot.services.get(`${key.app}/${spec.name}` as ServiceId)?.value.spec) !== JSON.stringify(spec));
      const isSecond = change.entry.createRevision !== change.entry.modRevision || this.#revisions.has(name);
      this.#revisions.set(name, revision);
      return [
        ...(snapshot.apps.get(key.app)?.value.revision === key.number ? [] : [`I3: revision ${name} is there without its App`]),
        ...torn.map(spec => `I3: revision ${name} is there without its service ${spec.name}`),
        ...(isSecond ? [`I13: revision ${name} was written twice`] : []),
      ];
    });
  }

  isServing(task: Task): boolean {
    return isServing(this.snapshot, task);
  }

  count(what: string): void {
    this.reached.set(what, (this.reached.get(what) ?? 0) + 1);
  }
}

function isCompanion(id: string): boolean {
  return parseContainerId(id)?.companion !== undefined;
}

/** By itself, not because it was told to stop. */
function hasSucceeded({ phase, lastExit }: TaskStatus): boolean {
  return phase === 'complete' && lastExit?.code === 0 && lastExit.reason === 'exited';
}

function isBack(previous: TaskStatus | undefined, next: TaskStatus): boolean {
  return previous !== undefined && (next.attempt < previous.attempt || (next.attempt === previous.attempt && phaseOrder(next.phase) < phaseOrder(previous.phase)));
}

/** Shows how often the class was put to the test. */
function exclusiveMark({ stopAfterMs }: Task): string {
  return stopAfterMs === undefined ? '' : ', exclusive';
}

function statusText(status: TaskStatus | undefined): string {
  return `${String(status?.attempt)} ${String(status?.phase)}`;
}
