import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Node } from '#model/node.ts';
import type { ClusterView, ControlClient } from '#model/ports.ts';
import type { Task } from '#model/task.ts';
import { createControlClient } from '#rpc/control-client.ts';
import { isLive, isServing, mayRun, rowsOf } from '../../controller/reconcile/task-row.ts';
import { cutDevNode, freezeDevProcess, healDev, killDevProcess } from '../../cli/dev/dev-fault-flow.ts';
import { unmarkDown } from '../../cli/dev/cluster-fs.ts';
import { healNode } from '../../cli/dev/hub-network-process.ts';
import type { CutDirection } from '../../cli/dev/hub-network-process.ts';
import { signalGroup } from '../../cli/dev/process-scan-fs.ts';
import { ClusterMirror } from '../../controller/store/snapshot.ts';
import { ClusterHistory } from './cluster-history.ts';
import { containerPictures, pictureLines } from './container-pictures.ts';
import { DevCluster, eventually } from './dev-cluster.ts';
import type { DevClusterOptions } from './dev-cluster.ts';
import { checkHistory, checkStarts, placedTasks, readStarts } from './invariants.ts';
import type { Budget, JournalStart } from './invariants.ts';
import { settleNodes } from './node-leftovers.ts';
import { signalContainers } from './node-processes.ts';

/** A log may grow by this much a minute in a fault (I17). */
const LOG_BYTES_PER_MINUTE = 1_000_000;
/** How long a settled cluster must stay so. */
const CALM_MS = 1_500;

/** A real cluster with what a fault test needs: its history, pictures of its containers, faults, and the invariants at the end. */
export class FaultBench {
  readonly cluster: DevCluster;
  readonly history: ClusterHistory;
  readonly #startedAtMs = performance.now();

  private constructor(cluster: DevCluster, history = ClusterHistory.of(cluster.layout)) {
    this.cluster = cluster;
    this.history = history;
  }

  static async up(options: DevClusterOptions = {}): Promise<FaultBench> {
    return new FaultBench(await DevCluster.up({ times: 'test', ...options }));
  }

  /** On a cluster that goes on afterwards: end it with `leave`. */
  static attach(cluster: DevCluster, history?: ClusterHistory): FaultBench {
    return new FaultBench(cluster, history);
  }

  /** Undoes every fault and lets the cluster go on. */
  async leave(): Promise<void> {
    await this.heal();
    await this.history.close();
  }

  /** Kills the whole process group with -9; the supervisor starts the process again after a second. */
  kill(name: string): void {
    const { pid } = this.cluster.process(name);
    if (pid !== undefined) {
      signalGroup(this.cluster.layout, pid, 'SIGKILL');
    }
  }

  /** Kills it and keeps it down until `start`. */
  async down(name: string): Promise<void> {
    await killDevProcess(this.cluster.name, name);
  }

  async start(name: string): Promise<void> {
    await unmarkDown(this.cluster.layout, name);
    await this.running(name);
  }

  /** Waits until the supervisor has (another) process for it. */
  async running(name: string, previousPid?: number): Promise<number> {
    return await eventually(`${name} to run`, 60_000, () => {
      const { pid } = this.cluster.process(name);
      return pid === previousPid ? undefined : pid;
    });
  }

  async freeze(name: string): Promise<void> {
    await freezeDevProcess(this.cluster.name, name);
  }

  /** Stops the agent and its containers where they stand: the kernel alone answers, as of a machine that hangs. */
  async freezeNode(node: string): Promise<void> {
    await this.freeze(node);
    signalContainers(this.cluster.layout, [node], 'SIGSTOP');
  }

  async cut(node: string, direction: CutDirection = 'both'): Promise<void> {
    await cutDevNode(this.cluster.name, node, direction);
  }

  async heal(name?: string): Promise<void> {
    const { layout } = this.cluster;
    signalContainers(layout, layout.nodes.map(node => node.name).filter(node => node === (name ?? node)), 'SIGCONT');
    await healDev(this.cluster.name, name);
  }

  /** Undoes a freeze of one process alone. */
  async goOn(name: string): Promise<void> {
    const pid = await this.running(name);
    signalGroup(this.cluster.layout, pid, 'SIGCONT');
  }

  /** Undoes a cut of one node alone. */
  async mend(name: string): Promise<void> {
    const node = this.cluster.layout.nodes.find(one => one.name === name);
    if (node !== undefined) {
      await healNode(this.cluster.layout, node);
    }
  }

  /** What the process gets in its environment from its next start on. */
  environment(name: string, variables: Readonly<Record<string, string>>): void {
    const folder = `${this.cluster.layout.runDir}/env`;
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/${name}`, Object.entries(variables).map(([key, value]) => `${key}=${value}\n`).join(''));
  }

  clearEnvironment(name: string): void {
    rmSync(`${this.cluster.layout.runDir}/env/${name}`, { force: true });
  }

  /** Pid and start time of every container, as lines. */
  pictures(): readonly string[] {
    return pictureLines(this.cluster.layout);
  }

  startsOn(node: string): readonly JournalStart[] {
    return readStarts(this.cluster.layout).filter(start => start.node === node);
  }

  log(name: string): string {
    return readFileSync(`${this.cluster.layout.stateDir}/logs/${name}.log`, 'utf8');
  }

  /** The id of the controller that leads, as etcd says. */
  async leader(): Promise<string> {
    return await eventually('a leader', 60_000, async () => {
      await this.history.catchUp();
      return this.history.now().leaderId;
    });
  }

  /** The epoch of the controller that leads; between two leaders, of the next one. */
  async epoch(): Promise<number> {
    await this.leader();
    return this.history.now().epoch;
  }

  /** Waits until every agent is heard by some controller, from now on. */
  async heard(limitMs = 60_000): Promise<void> {
    const sinceMs = Date.now();
    const missing = new Set(this.cluster.layout.nodes.map(node => node.name));
    const failures: string[] = [];
    await eventually('every agent to be heard', limitMs, async () => {
      for (const { name } of this.cluster.layout.controllers) {
        const view = await this.viewOf(name).catch((error: unknown) => { failures.push(`${name}: ${String(error)}`); });
        view?.nodes.filter(one => (one.lastSeenMs ?? 0) > sinceMs).forEach(one => missing.delete(one.node.id));
      }
      return missing.size === 0;
    }).catch((error: unknown) => {
      const ends = [...missing].map(name => `${name}: ${this.log(name).slice(-2_000)}`);
      throw new Error(['not heard:', ...ends, ...failures.slice(-2)].join('\n'), { cause: error });
    });
  }

  /** What one controller shows. */
  async viewOf(controller: string): Promise<ClusterView> {
    return await this.through(controller, async client => await client.view({}));
  }

  /** Asks one controller alone. */
  async through<T>(controller: string, body: (client: ControlClient) => Promise<T>): Promise<T> {
    const { layout } = this.cluster;
    const port = layout.controllers.find(one => one.name === controller)?.apiPort ?? 0;
    const client = createControlClient({ controllers: [`${layout.hostAddress}:${String(port)}`], identity: this.cluster.operatorIdentity() });
    try {
      return await body(client);
    } finally {
      client.close();
    }
  }

  async condition(node: string): Promise<Node['condition'] | undefined> {
    await this.history.catchUp();
    return [...this.history.now().nodes.values()].find(one => one.value.id === node)?.value.condition;
  }

  /** Names of the conditions that nodes had since the revision, other than ready: `n1 silent`. */
  async absencesSince(etcdRevision: number): Promise<readonly string[]> {
    await this.history.catchUp();
    const absences = new Set<string>();
    const mirror = new ClusterMirror();
    for (const { batch } of this.history.entries) {
      mirror.apply(batch);
      const away = [...mirror.current.nodes.values()].filter(one => batch.etcdRevision > etcdRevision && one.value.condition !== 'ready');
      away.forEach(({ value }) => { absences.add(`${value.id} ${value.condition}`); });
    }
    return [...absences].sort();
  }

  /** Tasks placed after the revision. */
  async tasksSince(etcdRevision: number): Promise<readonly Task[]> {
    await this.history.catchUp();
    const before = placedTasks(this.history.entries.filter(entry => entry.batch.etcdRevision <= etcdRevision));
    return [...placedTasks(this.history.entries).values()].filter(task => !before.has(task.id));
  }

  /** Live tasks of a service, as the newest state of etcd has them. */
  async live(service: string): Promise<readonly Task[]> {
    await this.history.catchUp();
    const snapshot = this.history.now();
    const id = [...snapshot.services.keys()].find(one => one === service);
    return id === undefined ? [] : rowsOf(snapshot, id).filter(isLive).map(row => row.task);
  }

  /** Waits until observed equals desired for every service, nothing else runs, and that for a while (I15, I8). */
  async settled(limitMs = 60_000): Promise<number> {
    let difference: readonly string[] = [];
    let calmSinceMs: number | undefined;
    try {
      await eventually('a settled cluster', limitMs, async () => {
        difference = await this.#differences();
        calmSinceMs = difference.length > 0 ? undefined : calmSinceMs ?? performance.now();
        return calmSinceMs !== undefined && performance.now() - calmSinceMs >= CALM_MS;
      });
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : ''}; ${difference.join('; ')}`, { cause: error });
    }
    return await this.history.catchUp();
  }

  async #differences(): Promise<readonly string[]> {
    await this.history.catchUp();
    const snapshot = this.history.now();
    const running = new Set([...containerPictures(this.cluster.layout).values()].map(one => `${one.task} on ${one.node}`));
    const rows = [...snapshot.services.keys()].flatMap(id => rowsOf(snapshot, id));
    const wanted = new Set(rows.filter(isLive).map(({ task }) => `${task.id} on ${task.node}`));
    const services = [...snapshot.services.values()].map(({ value }) => value);
    return [
      ...[...snapshot.nodes.values()].filter(one => one.value.condition !== 'ready').map(one => `node ${one.value.id} is ${one.value.condition}`),
      ...services.filter(one => rowsOf(snapshot, one.id).filter(isServing).length !== one.spec.replicas).map(one => `${one.id} has not ${String(one.spec.replicas)} serving`),
      ...rows.filter(row => mayRun(row) && !isLive(row)).map(row => `${row.task.name} is still to stop`),
      ...[...wanted].filter(one => !running.has(one)).map(one => `no container of ${one}`),
      ...[...running].filter(one => !wanted.has(one)).map(one => `a container of ${one} that nobody wants`),
    ];
  }

  /** I1, I7, I12, I14, I17 over all that happened; I8 now, while the cluster is up. */
  async violations(budgets: readonly Budget[] = []): Promise<readonly string[]> {
    const left = await settleNodes(this.cluster).then(() => [], (error: unknown) => [`I8: ${String(error)}`]);
    await this.history.catchUp();
    const homes = new Map([...placedTasks(this.history.entries)].map(([id, task]) => [id, task.node]));
    return [...left, ...checkHistory(this.history.entries, budgets), ...checkStarts(readStarts(this.cluster.layout), homes), ...this.#loudLogs()];
  }

  #loudLogs(): readonly string[] {
    const minutes = Math.max(1, (performance.now() - this.#startedAtMs) / 60_000);
    return this.cluster.file.processes.flatMap(({ name }) => {
      const { size } = statSync(`${this.cluster.layout.stateDir}/logs/${name}.log`);
      return size > LOG_BYTES_PER_MINUTE * minutes ? [`I17: ${name} logged ${String(size)} bytes in ${minutes.toFixed(1)} min`] : [];
    });
  }

  /** Ends the cluster, also one that cannot be judged any more. @returns what was violated, and what is left of it on the machine */
  async end(budgets: readonly Budget[] = []): Promise<readonly string[]> {
    const violations = await this.violations(budgets).catch((error: unknown) => [String(error)]);
    return [...violations, ...await this.close()];
  }

  /** @returns what is left of the cluster on the machine, and why the history ended before, where it did */
  async close(): Promise<readonly string[]> {
    const failures = await this.history.close().then(() => [], (error: unknown) => [String(error)]);
    return [...failures, ...await this.cluster.down()];
  }
}

/** For faults that are defined by how long they last. */
export async function lasting(durationMs: number): Promise<void> {
  await sleep(durationMs);
}
