import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireCommand, runCommand } from '#kit/command-process.ts';
import type { CommandOutcome } from '#kit/command-process.ts';
import type { ControlClient } from '#model/ports.ts';
import { createControlClient } from '#rpc/control-client.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import type { ClusterFile, DevProcess } from '../../cli/dev/cluster-file.ts';
import type { DevLayout } from '../../cli/dev/layout.ts';
import { findLeftovers } from './leftovers.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const BIN = path.join(ROOT, 'deploy/bin');

export interface DevClusterOptions {
  readonly nodes?: number;
  readonly controllers?: number;
  readonly times?: 'default' | 'test';
  /** Images of deploy/examples/build-images.ts to push: hello, shop. Default: hello. */
  readonly images?: readonly string[];
  readonly capacity?: string;
  /** More options for each agent, separated by spaces. */
  readonly agentOptions?: string;
  readonly prometheusUrl?: string;
}

/** A field of `-o json` output, of whatever shape. */
export type Item = Readonly<Record<string, unknown>>;

/**
 * A real local cluster for one test file: `clusterctl dev up`, with a name, a home and short times of its own. `down` removes it and says
 * what is left of it on the machine. A test that dies leaves it to `npm run stop`.
 */
export class DevCluster implements AsyncDisposable {
  readonly name: string;
  readonly home: string;
  readonly #options: DevClusterOptions;

  private constructor(name: string, home: string, options: DevClusterOptions) {
    this.name = name;
    this.home = home;
    this.#options = options;
  }

  static async up(options: DevClusterOptions = {}): Promise<DevCluster> {
    const cluster = new DevCluster(`t${process.pid.toString(36)}${Math.random().toString(36).slice(2, 5)}`, mkdtempSync(path.join(tmpdir(), 'gantry-home-')), options);
    try {
      await cluster.start();
    } catch (error) {
      await cluster.tryCtl('dev', 'down', cluster.name);
      cluster.leave();
      throw error;
    }
    return cluster;
  }

  /** The local cluster that runs under this name, as `npm start` made it: it stays as it is; `leave` it. @throws Error where there is none */
  static attach(name: string, homeDirectory: string): DevCluster {
    if (!existsSync(`/var/lib/gantry-dev/${name}/cluster.json`)) {
      throw new Error(`no local cluster ${name} is up; npm start makes one`);
    }
    const home = mkdtempSync(path.join(tmpdir(), 'gantry-home-'));
    cpSync(path.join(homeDirectory, '.config/gantry'), path.join(home, '.config/gantry'), { recursive: true });
    return new DevCluster(name, home, {});
  }

  /** Forgets the cluster, whatever becomes of it. */
  leave(): void {
    rmSync(this.home, { recursive: true, force: true });
  }

  /** Brings the cluster up, also after `dev down` of it. */
  async start(): Promise<void> {
    const { times, nodes, controllers, capacity, agentOptions, prometheusUrl, images } = this.#options;
    await this.ctl('dev', 'up', this.name, '--no-example', '--times', times ?? 'test', '--nodes', String(nodes ?? 3),
      '--controllers', String(controllers ?? 2), '--capacity', capacity ?? 'cpu=4,memory=7Gi', `--agent-options=${agentOptions ?? ''}`, ...(prometheusUrl === undefined ? [] : ['--prometheus', prometheusUrl]));
    for (const image of images ?? ['hello']) {
      await this.buildImage(image);
    }
  }

  get file(): ClusterFile {
    return JSON.parse(readFileSync(`/var/lib/gantry-dev/${this.name}/cluster.json`, 'utf8')) as ClusterFile;
  }

  get layout(): DevLayout {
    return this.file.layout;
  }

  /** `host:port`, good on the machine and on the nodes. */
  get registry(): string {
    return `${this.layout.hostAddress}:${String(this.layout.registryPort)}`;
  }

  /** clusterctl, and what it needs to find this cluster. */
  get program(): string {
    return `${BIN}/clusterctl`;
  }

  get environment(): Readonly<Record<string, string>> {
    return { HOME: this.home, GANTRY_CONTEXT: this.name, NO_COLOR: '1' };
  }

  process(name: string): DevProcess {
    const found = this.file.processes.find(one => one.name === name);
    if (found === undefined) {
      throw new Error(`cluster ${this.name} has no process ${name}`);
    }
    return found;
  }

  async buildImage(name: string): Promise<void> {
    await requireCommand(`${BIN}/node`, [path.join(ROOT, 'deploy/examples/build-images.ts'), this.registry, `${this.layout.stateDir}/pki/ca.pem`, name], { timeoutMs: 120_000 });
  }

  /** Runs clusterctl, whatever its exit code. */
  async tryCtl(...args: readonly string[]): Promise<CommandOutcome> {
    return await runCommand(`${BIN}/clusterctl`, args, { timeoutMs: 180_000, environment: { HOME: this.home, GANTRY_CONTEXT: this.name, NO_COLOR: '1' } });
  }

  /** Runs clusterctl, which must succeed, and answers its standard output. */
  async ctl(...args: readonly string[]): Promise<string> {
    return await requireCommand(`${BIN}/clusterctl`, args, { timeoutMs: 180_000, environment: { HOME: this.home, GANTRY_CONTEXT: this.name, NO_COLOR: '1' } });
  }

  /** The items of a listing in `-o json`. */
  async items(...args: readonly string[]): Promise<readonly Item[]> {
    return (JSON.parse(await this.ctl(...args, '-o', 'json')) as { readonly items: readonly Item[] }).items;
  }

  /** Tasks that are wanted and not ended, of one service (`app/service`) or all. */
  async tasks(service?: string): Promise<readonly Item[]> {
    const all = await this.items('ps');
    return all.filter(task => service === undefined || `${String(task['app'])}/${String(task['service'])}` === service);
  }

  /** Waits until every node takes tasks. One that is silent for a moment takes none, and `node ls` still calls it ready. */
  async nodesTakeTasks(): Promise<void> {
    let states: readonly string[] = [];
    const client = this.client();
    try {
      await eventually('every node to take tasks', 120_000, async () => {
        const { nodes } = await client.view({});
        const shut = nodes.filter(({ node }) => node.condition !== 'ready' || node.availability !== 'active');
        states = shut.map(({ node }) => `${node.id}: ${node.condition}, ${node.availability}`);
        return nodes.length === this.layout.nodes.length && shut.length === 0;
      }).catch((error: unknown) => { throw new Error(`not every node takes tasks: ${states.join('; ')}`, { cause: error }); });
    } finally {
      client.close();
    }
  }

  /** Applies a manifest given as text. */
  async apply(yaml: string, ...flags: readonly string[]): Promise<string> {
    const file = path.join(this.home, 'manifest.yaml');
    writeFileSync(file, yaml);
    return await this.ctl('apply', '-f', file, ...flags);
  }

  async tryApply(yaml: string, ...flags: readonly string[]): Promise<CommandOutcome> {
    const file = path.join(this.home, 'manifest.yaml');
    writeFileSync(file, yaml);
    return await this.tryCtl('apply', '-f', file, ...flags);
  }

  operatorIdentity(): TlsIdentity {
    const pem = (file: string): string => readFileSync(`${this.layout.stateDir}/pki/operator/${file}`, 'utf8');
    return { caPem: pem('ca.pem'), pair: { certificatePem: pem('certificate.pem'), keyPem: pem('key.pem') } };
  }

  /** The API itself, past the CLI. Close it. */
  client(): ControlClient {
    const controllers = this.layout.controllers.map(controller => `${this.layout.hostAddress}:${String(controller.apiPort)}`);
    return createControlClient({ controllers, identity: this.operatorIdentity() });
  }

  /** Runs a command inside a node's network namespace. */
  async onNode(node: string, program: string, ...args: readonly string[]): Promise<CommandOutcome> {
    return await runCommand('nsenter', [`--net=/run/netns/gantry-${this.name}-${node}`, program, ...args]);
  }

  /** Kills one process by its recorded pid; the supervisor starts it again. */
  kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): void {
    const { pid } = this.process(name);
    if (pid !== undefined) {
      process.kill(pid, signal);
    }
  }

  /** Removes the cluster for good. @returns what is left of it: nothing, when all is well */
  async down(): Promise<readonly string[]> {
    const left = await this.remove();
    rmSync(this.home, { recursive: true, force: true });
    return left;
  }

  /** Removes the cluster; `start` makes it anew. @returns what is left of it */
  async remove(): Promise<readonly string[]> {
    const { layout } = this;
    await this.ctl('dev', 'down', this.name);
    return await findLeftovers(layout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }
}

/** Polls until `holds` answers something else than undefined or false, and answers that. @throws Error naming what did not happen */
export async function eventually<T>(what: string, limitMs: number, holds: () => Promise<T | undefined | false> | T | undefined | false): Promise<T> {
  const deadline = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await holds();
      if (found !== undefined && found !== false) {
        return found;
      }
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${String(limitMs)} ms for ${what}`, { cause: last });
    }
    await sleep(50);
  }
}
