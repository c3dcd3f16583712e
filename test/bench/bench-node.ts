/** One machine with the agent as it ships, told what to run by a real session, and the images both sides run. */
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { parseDigest } from '#model/digest.ts';
import { taskIdFromBytes, TASK_ID_BYTES, taskName } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';
import type { ContainerSpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import { container, service, task } from '../support/builders.ts';
import { HandMadeCluster } from '../support/hand-made-cluster.ts';
import { BenchController } from './bench-controller.ts';
import { DockerPeer } from './docker-peer.ts';

const NODE = 'n1';
const SUBNET_INDEX = 1;
const POOL = 64;
const METRICS_PORT = 7402;
const GONE_LIMIT_MS = 30_000;
const BALLAST = path.join(import.meta.dirname, 'ballast.ts');
const HEAP_PROBE = path.join(import.meta.dirname, 'heap-probe.mjs');
const PROBE_LIMIT_MS = 30_000;
/** On the hub's bridge, beside the nodes at .10 and above. */
const DOCKER_HOST_NUMBER = 200;

export interface BenchNodeOptions {
  readonly directory: string;
  /** Of memory that the agent holds and does not need, in MiB. */
  readonly ballastMib?: number;
  readonly pool?: number;
  /** `liveHeapBytes` can be asked. */
  readonly hasHeapProbe?: boolean;
  /** The registry's log has a line for each request. */
  readonly isRegistryLogged?: boolean;
}

/** Metrics of the agent by name with labels, as /metrics prints them. */
export type AgentFigures = ReadonlyMap<string, number>;

export class BenchNode implements AsyncDisposable {
  readonly cluster: HandMadeCluster;
  readonly controller: BenchController;
  readonly image: { readonly reference: string; readonly registry: string; readonly digest: string };
  readonly caFile: string;
  readonly #options: BenchNodeOptions;

  private constructor(cluster: HandMadeCluster, controller: BenchController, registry: { readonly image: BenchNode['image']; readonly caFile: string }, options: BenchNodeOptions) {
    this.cluster = cluster;
    this.controller = controller;
    this.image = registry.image;
    this.caFile = registry.caFile;
    this.#options = options;
  }

  get #configDir(): string {
    return path.join(this.#options.directory, 'config');
  }

  /** Where the agent has its records, images and snapshots. */
  get stateDir(): string {
    return path.join(this.#options.directory, 'state');
  }

  /** What `run` and `leave` have in common. */
  get #arguments(): readonly string[] {
    const { layout } = this.cluster;
    const [own] = layout.nodes;
    if (own === undefined) throw new Error('a layout of one node');
    return [
      '--node', NODE, '--config-dir', this.#configDir, '--state-dir', this.stateDir, '--run-dir', `${layout.runDir}/${NODE}`,
      '--scope', own.scope, '--underlay-address', own.address, '--userns-base', String(own.usernsBase), '--controllers', this.controller.address,
    ];
  }

  /** The image is on the node's disk when it resolves, and the pool of network slots full. */
  static async start(options: BenchNodeOptions): Promise<BenchNode> {
    await using stack = new AsyncDisposableStack();
    const cluster = await HandMadeCluster.create(1);
    stack.defer(async () => { await cluster.remove(); });
    const registry = await cluster.startRegistry({ isLogged: options.isRegistryLogged === true });
    const controller = stack.use(await BenchController.listen({ host: cluster.layout.hostAddress, port: cluster.layout.controllers[0]?.apiPort ?? 0, subnetIndex: SUBNET_INDEX }));
    const image = { reference: `${registry.address}/hello:1`, registry: registry.address, digest: registry.digest };
    const node = new BenchNode(cluster, controller, { image, caFile: registry.caFile }, options);
    stack.use(node);
    mkdirSync(node.#configDir, { mode: 0o700 });
    for (const [name, text] of Object.entries(await controller.identityFiles(NODE))) {
      writeFileSync(path.join(node.#configDir, name), text, { mode: 0o600 });
    }
    await node.startAgent(options.ballastMib ?? 0);
    const first = node.task();
    controller.assign([first]);
    try {
      await controller.reported([first.id], ({ phase }) => phase === 'running');
    } catch (error) {
      throw new Error(cluster.logs(), { cause: error });
    }
    await node.stop([first]);
    stack.move();
    return node;
  }

  /** Starts the agent, again after `stopAgent`. */
  async startAgent(ballastMib: number): Promise<void> {
    this.controller.expectRegistration();
    this.cluster.start(NODE, [
      'gantry-agent', ...this.#arguments, '--capacity', 'cpu=64,memory=64Gi', '--pool', String(this.#options.pool ?? POOL),
      '--metrics-listen', `${this.cluster.layout.nodes[0]?.address ?? ''}:${String(METRICS_PORT)}`, '--metrics-plain', '--registry-ca', this.caFile, '--log-level', 'warn',
    ], { node: NODE, environment: this.#environment(ballastMib) });
    await this.controller.ready();
  }

  #environment(ballastMib: number): Readonly<Record<string, string>> {
    const loaded = [...(ballastMib === 0 ? [] : [BALLAST]), ...(this.#options.hasHeapProbe === true ? [HEAP_PROBE] : [])];
    return loaded.length === 0 ? {} : { NODE_OPTIONS: loaded.map(file => `--import=${file}`).join(' '), GANTRY_BENCH_BALLAST_MIB: String(ballastMib), GANTRY_BENCH_HEAP_FILE: this.#heapFile };
  }

  get #heapFile(): string {
    return path.join(this.#options.directory, 'heap-bytes');
  }

  /** Bytes of the agent's heap that are in use once all garbage is collected. */
  async liveHeapBytes(): Promise<number> {
    rmSync(this.#heapFile, { force: true });
    process.kill(this.agentPid, 'SIGUSR2');
    const deadline = performance.now() + PROBE_LIMIT_MS;
    while (!existsSync(this.#heapFile)) {
      if (performance.now() > deadline) throw new Error(`the agent did not write ${this.#heapFile}`);
      await sleep(10);
    }
    return Number(readFileSync(this.#heapFile, 'utf8'));
  }

  async stopAgent(): Promise<void> {
    await this.cluster.stop(NODE);
  }

  /** A task of the image, baseline profile and all; SIGKILL ends it, as the peer's. */
  task(spec: Partial<ContainerSpec> = {}): Task {
    const id = taskIdFromBytes(randomBytes(TASK_ID_BYTES));
    const of = service({
      app: 'bench', name: 'bench',
      container: container({ image: this.image.reference, digest: parseDigest(this.image.digest), entrypoint: ['sleep', '1000000'], command: [], stopSignal: 'KILL', ...spec }),
    });
    return task(of, NODE, { id, name: taskName('bench', 0, id, false) });
  }

  /** Ends and removes them; nothing of them is left on the machine when it resolves, as after the peer's removal. */
  async stop(tasks: readonly Task[]): Promise<void> {
    const ids = tasks.map(({ id }) => id);
    this.controller.assign(tasks.map(one => ({ ...one, desired: 'stop' })));
    await this.controller.reported(ids, ({ phase }) => phase === 'complete' || phase === 'failed');
    this.controller.assign([], ids);
    // Record and log go last; nobody is told of that.
    const deadline = performance.now() + GONE_LIMIT_MS;
    for (let left = ids; left.length > 0; left = left.filter(id => existsSync(`${this.stateDir}/tasks/${id}`))) {
      if (performance.now() > deadline) throw new Error(`left of stopped tasks: ${left.join(', ')}`);
      await sleep(1);
    }
  }

  /** The agent's own process. */
  get agentPid(): number {
    const pids = pidsOf(command => command.includes('/dist/agent.mjs') && command.includes(this.#configDir));
    if (pids[0] === undefined || pids.length > 1) throw new Error(`${String(pids.length)} agents run`);
    return pids[0];
  }

  /** The pid of a task's first process, as the agent says. */
  pidOf(id: TaskId): number {
    const pid = this.controller.status(id)?.pid;
    if (pid === undefined) throw new Error(`task ${id} has no process: ${JSON.stringify(this.controller.status(id))}`);
    return pid;
  }

  /** What a running task is made of, read from the machine. */
  describe(id: TaskId): Readonly<Record<string, unknown>> {
    const pid = this.pidOf(id);
    const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? '';
    const isOwn = (namespace: string): boolean => readlinkSync(`/proc/${String(pid)}/ns/${namespace}`) !== readlinkSync(`/proc/self/ns/${namespace}`);
    return {
      pid, address: this.controller.status(id)?.address, command: readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0').join(' ').trim(),
      userIds: readFileSync(`/proc/${String(pid)}/uid_map`, 'utf8').trim().split(/\s+/).map(Number), seccomp: field('Seccomp') === '2' ? 'filter' : 'none',
      noNewPrivileges: field('NoNewPrivs') === '1', capabilities: field('CapEff'), ownNamespaces: ['user', 'net', 'mnt', 'pid', 'ipc', 'uts'].filter(isOwn),
    };
  }

  async figures(): Promise<AgentFigures> {
    const address = this.cluster.layout.nodes[0]?.address ?? '';
    const text = await new Promise<string>((resolve, reject) => {
      request({ host: address, port: METRICS_PORT, path: '/metrics' }, answer => {
        let said = '';
        answer.setEncoding('utf8').on('data', (part: string) => { said += part; }).on('end', () => { resolve(said); });
      }).on('error', reject).end();
    });
    return new Map(text.split('\n').filter(line => line !== '' && !line.startsWith('#')).map(line => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }));
  }

  async startDocker(): Promise<DockerPeer> {
    const { layout } = this.cluster;
    const docker = await DockerPeer.start({
      directory: this.#options.directory, registry: this.image.registry,
      hub: { namespace: layout.hubNamespace, address: `${layout.underlay.replace(/\.0\/24$/, '')}.${String(DOCKER_HOST_NUMBER)}`, gateway: layout.hostAddress },
    });
    await docker.pull(this.image.reference);
    return docker;
  }

  /** Takes the node off the machine as an operator does. @throws Error naming what is left */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopAgent();
    const { stderr } = await this.cluster.run(['gantry-agent', 'leave', ...this.#arguments], NODE);
    const said = this.cluster.logs();
    await this.controller[Symbol.asyncDispose]();
    const left = await this.cluster.remove();
    if (left.length > 0) {
      throw new Error(`left of ${this.cluster.layout.name}: ${left.join(', ')}; ${stderr}${said}`);
    }
  }
}

function pidsOf(isIt: (command: string) => boolean): readonly number[] {
  return readProcesses().filter(pid => {
    try {
      return isIt(readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8'));
    } catch {
      return false; // it ended
    }
  });
}

export function readProcesses(): readonly number[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number);
}
