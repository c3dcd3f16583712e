/** A whole local cluster of one node and one controller, as `dev up` makes it, and a swarm of one node beside it. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlClient, TaskView } from '#model/ports.ts';
import { DevCluster } from '../support/dev-cluster.ts';
import { requireDocker, DockerPeer } from './docker-peer.ts';
import type { BenchSite } from './bench.ts';
import { SwarmPeer } from './swarm-peer.ts';

/** On the hub's bridge, beside the nodes at .10 and above. */
const DOCKER_HOST_NUMBER = 200;
const IMAGE = 'hello:1';
/** As burst.ts has it: more than one burst takes. */
const POOL = 128;
/** With so many tasks a watch that has them costs no more than looks would. */
const FEW = 10;
const LOOK_MS = 25;
const NEVER = new AbortController().signal;

export class ClusterSite implements AsyncDisposable {
  readonly cluster: DevCluster;
  readonly client: ControlClient;
  readonly swarm: SwarmPeer;
  readonly #owned: AsyncDisposableStack;

  private constructor(cluster: DevCluster, client: ControlClient, swarm: SwarmPeer, owned: AsyncDisposableStack) {
    this.cluster = cluster;
    this.client = client;
    this.swarm = swarm;
    this.#owned = owned;
  }

  /**
   * Both have the image on their disks when it resolves; the node's and the daemon's data are in the bench's directory.
   *
   * @param peerLookMs  how often the swarm is looked at, which tells nothing by itself
   */
  static async start({ directory, mayInstall, tell }: BenchSite, peerLookMs: number): Promise<ClusterSite> {
    await requireDocker(mayInstall);
    await using stack = new AsyncDisposableStack();
    const state = path.join(directory, 'agent');
    mkdirSync(state, { mode: 0o711 });
    const cluster = stack.use(await DevCluster.up({ nodes: 1, controllers: 1, times: 'default', capacity: 'cpu=64,memory=64Gi', agentOptions: `--state-dir ${state} --pool ${String(POOL)}` }));
    const client = cluster.client();
    stack.defer(() => { client.close(); });
    await cluster.apply(manifest('warm', 1), '--wait');
    await cluster.ctl('delete', 'warm', '--yes');
    const { layout } = cluster;
    const docker = stack.use(await DockerPeer.start({
      directory, registry: cluster.registry,
      hub: { namespace: layout.hubNamespace, address: `${layout.underlay.replace(/\.0\/24$/, '')}.${String(DOCKER_HOST_NUMBER)}`, gateway: layout.hostAddress },
    }));
    await docker.pull(`${cluster.registry}/${IMAGE}`);
    const swarm = await SwarmPeer.init(docker, `${cluster.registry}/${IMAGE}`, peerLookMs);
    tell('a cluster of one node and a swarm of one node are up');
    return new ClusterSite(cluster, client, swarm, stack.move());
  }

  /** Tasks of one App, each once, those that ended too. */
  async tasksOf(app: string): Promise<readonly TaskView[]> {
    return (await this.client.view({ app })).tasks;
  }

  /** Resolves when exactly so many tasks of the App run and no other one has a process. The cluster tells it by itself; with many tasks only how many run, and the tasks are looked at then. */
  async runs(app: string, replicas: number): Promise<void> {
    const isMany = replicas > FEW;
    for await (const { services, tasks } of this.client.watch({ app, withoutTasks: isMany }, NEVER)) {
      if (services.reduce((sum, { running }) => sum + running, 0) === replicas && (isMany || isSettled(tasks, replicas))) break;
    }
    while (isMany && !isSettled(await this.tasksOf(app), replicas)) {
      await sleep(LOOK_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

function isSettled(tasks: readonly TaskView[], replicas: number): boolean {
  const phases = tasks.map(({ status }) => status?.phase ?? 'pending');
  const isOver = (phase: string): boolean => phase === 'running' || phase === 'complete' || phase === 'failed';
  return phases.filter(phase => phase === 'running').length === replicas && (replicas === 0 || phases.every(isOver));
}

/** One service that does nothing and ends at once when it is told to. */
export function manifest(app: string, replicas: number): string {
  return [
    'apiVersion: gantry/v1', 'kind: App', `metadata: { name: ${app} }`, 'services:', '  web:', `    image: ${IMAGE}`, `    replicas: ${String(replicas)}`,
    '    entrypoint: [sleep, "1000000"]', '    stop_signal: KILL', '    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 32Mi, pids: 32 } }', '',
  ].join('\n');
}
