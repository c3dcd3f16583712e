/**
 * Several "nodes" on one machine: network namespaces joined by a bridge in a hub namespace, a process with the node's network in each.
 *
 * Everything is named by `prefix`, which no other has, so tests run beside each other; `close` takes all of it away.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { TOOL_PATH } from '#kit/command-process.ts';
import { untilNone } from './until-none.ts';

const WORKER = path.join(import.meta.dirname, 'network-node-worker.ts');

/** Why nodes cannot be made here; undefined when they can. */
export function whyNoNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) {
    return 'needs root';
  }
  const lacking = ['ip', 'nft', 'unshare', 'nsenter', 'bridge', 'busybox', 'conntrack'].filter(tool => spawnSync('which', [tool]).status !== 0);
  return lacking.length === 0 ? undefined : `needs the programs ${lacking.join(', ')}`;
}

/** Runs a tool that must succeed. The machine's own PATH, not npm's: node_modules/.bin has another `nft`. */
export function run(program: string, ...args: readonly string[]): string {
  const outcome = spawnSync(program, args, { encoding: 'utf8', env: { PATH: TOOL_PATH, LC_ALL: 'C' } });
  if (outcome.status !== 0) {
    throw new Error(`${program} ${args.join(' ')}: ${outcome.stderr}`);
  }
  return outcome.stdout;
}

/** Polls until `check` gives a value; bounded. */
export async function eventually<Value>(what: string, check: () => Promise<Value | undefined> | Value | undefined, timeoutMs = 60_000): Promise<Value> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== undefined) {
      return value;
    }
    if (performance.now() > endMs) {
      throw new Error(`not within ${String(timeoutMs)} ms: ${what}`);
    }
    await sleep(20);
  }
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** One node: its namespace, and the process that has its network. */
export class TestNode {
  readonly name: string;
  readonly netns: string;
  readonly subnetIndex: number;
  readonly underlayAddress: string;
  readonly scope: string;
  readonly runDir: string;
  readonly #poolSize: number;
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #child: ChildProcess | undefined;
  #nextId = 1;

  constructor(hub: { readonly prefix: string; readonly runDir: string; readonly poolSize: number }, index: number) {
    this.name = `n${String(index)}`;
    this.netns = `${hub.prefix}n${String(index)}`;
    this.subnetIndex = index;
    this.underlayAddress = `10.161.0.${String(index)}`;
    this.scope = this.name;
    this.runDir = path.join(hub.runDir, this.name);
    this.#poolSize = hub.poolSize;
  }

  /** Starts the process; a second start is what a restart of the agent is. */
  start(): void {
    const settings = {
      name: this.name, scope: this.scope, runDir: this.runDir, underlayAddress: this.underlayAddress, poolSize: this.#poolSize,
      userNamespaceBase: 2 ** 20 + this.subnetIndex * 2 ** 24,
    };
    const child = spawn('nsenter', [`--net=/run/netns/${this.netns}`, process.execPath, WORKER, JSON.stringify(settings)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', line => {
      const { id, value, error } = JSON.parse(line) as Answer;
      const waiting = this.#pending.get(id);
      this.#pending.delete(id);
      if (error === undefined) {
        waiting?.resolve(value);
      } else {
        waiting?.reject(new Error(error));
      }
    });
    child.on('exit', () => {
      for (const waiting of this.#pending.values()) {
        waiting.reject(new Error('the node\'s process ended'));
      }
      this.#pending.clear();
    });
  }

  async call<Value>(call: string, argument?: unknown): Promise<Value> {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) {
      throw new Error('the node\'s process ended');
    }
    const id = this.#nextId;
    this.#nextId += 1;
    return await new Promise<Value>((resolve, reject) => {
      this.#pending.set(id, { resolve: value => { resolve(value as Value); }, reject });
      child.stdin?.write(`${JSON.stringify({ id, call, argument })}\n`);
    });
  }

  /** Makes and deletes links in the node's namespace, without a pause, until it is disposed of. */
  churnLinks(): AsyncDisposable & { readonly isRunning: boolean } {
    for (let pairs = 0; pairs < 20; pairs += 1) {
      this.run('ip', 'link', 'add', `still${String(pairs)}a`, 'type', 'veth', 'peer', 'name', `still${String(pairs)}b`); // more than one answer of the kernel holds
    }
    const child = spawn('nsenter', [`--net=/run/netns/${this.netns}`, 'ip', '-batch', '-'], { stdio: ['pipe', 'ignore', 'inherit'] });
    const ended = new Promise(resolve => child.once('exit', resolve));
    const feed = (): void => {
      while (child.stdin.writable && child.stdin.write('link add churn0 type veth peer name churn1\nlink del churn0\n')) { /* until the pipe is full */ }
    };
    child.stdin.on('drain', feed).on('error', () => { /* it was ended */ });
    feed();
    return {
      get isRunning() { return child.exitCode === null && child.signalCode === null; },
      [Symbol.asyncDispose]: async () => {
        child.kill('SIGKILL');
        await ended;
      },
    };
  }

  /** Ends the process without a word, as a crash does. */
  async kill(): Promise<void> {
    if (this.#child !== undefined) await endOf(this.#child);
  }

  /** Runs a tool in the node's namespace. */
  run(program: string, ...args: readonly string[]): string {
    return run('nsenter', `--net=/run/netns/${this.netns}`, program, ...args);
  }
}

/** kill -9, and waits for its end. */
async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}

/** Mounts on a path that has `mark` in it, each as its line of proc_pid_mountinfo(5). */
export function mountsWith(mark: string): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(line => line.includes(mark));
}

/** Unmounts all that a test that broke off left below `directory`, the innermost first. */
export function unmountBelow(directory: string): void {
  const targets = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map(line => line.split(' ')[4] ?? '');
  for (const target of targets.filter(one => one.startsWith(`${directory}/`)).reverse()) {
    run('umount', '-l', target);
  }
}

/** Mounts, processes and network namespaces that stay of a cluster that was closed. */
export async function leftOf({ prefix }: NodeCluster): Promise<readonly string[]> {
  return await untilNone(() => [
    ...mountsWith(prefix),
    ...spawnSync('pgrep', ['-af', prefix], { encoding: 'utf8' }).stdout.split('\n').filter(line => line !== '' && !line.includes('pgrep')),
    ...run('ip', 'netns', 'list').split('\n').filter(line => line.startsWith(prefix)),
  ]);
}

let clusters = 0;

export class NodeCluster implements AsyncDisposable {
  readonly nodes: readonly TestNode[];
  readonly runDir: string;
  readonly prefix: string;
  readonly #children: ChildProcess[] = [];

  constructor(count: number, poolSize = 1) {
    clusters += 1;
    const prefix = `gnt${process.pid.toString(36)}x${String(clusters)}`;
    this.prefix = prefix;
    this.runDir = mkdtempSync(path.join(tmpdir(), `${prefix}-`));
    this.nodes = Array.from({ length: count }, (_, index) => new TestNode({ prefix, runDir: this.runDir, poolSize }, index + 1));
    run('ip', 'netns', 'add', `${prefix}hub`);
    run('ip', '-n', `${prefix}hub`, 'link', 'add', 'br0', 'type', 'bridge');
    run('ip', '-n', `${prefix}hub`, 'address', 'add', '10.161.0.254/24', 'dev', 'br0');
    run('ip', '-n', `${prefix}hub`, 'link', 'set', 'br0', 'up');
    run('ip', '-n', `${prefix}hub`, 'link', 'set', 'lo', 'up');
    for (const node of this.nodes) {
      this.#join(node);
    }
  }

  #join(node: TestNode): void {
    const hub = `${this.prefix}hub`;
    run('ip', 'netns', 'add', node.netns);
    run('ip', '-n', hub, 'link', 'add', node.name, 'type', 'veth', 'peer', 'name', 'up0', 'netns', node.netns);
    run('ip', '-n', hub, 'link', 'set', node.name, 'master', 'br0', 'up');
    run('ip', '-n', node.netns, 'address', 'add', `${node.underlayAddress}/24`, 'dev', 'up0');
    run('ip', '-n', node.netns, 'link', 'set', 'up0', 'up');
    run('ip', '-n', node.netns, 'link', 'set', 'lo', 'up');
    run('ip', '-n', node.netns, 'route', 'add', 'default', 'via', '10.161.0.254');
  }

  /** Starts every node's process, sets it up and makes the nodes known to each other. */
  async start(): Promise<void> {
    const peers = this.peers();
    await Promise.all(this.nodes.map(async node => {
      node.start();
      await node.call('setUp', node.subnetIndex);
      await node.call('setPeers', peers);
    }));
  }

  peers(): readonly { readonly id: string; readonly subnetIndex: number; readonly address: string }[] {
    return this.nodes.map(node => ({ id: node.name, subnetIndex: node.subnetIndex, address: node.underlayAddress }));
  }

  /** Runs a program of the test's in the namespaces of a slot or node until the cluster closes; its stdout line by line. */
  startIn(networkNamespacePath: string, script: string): { readonly child: ChildProcess; readonly lines: readonly string[] } {
    const child = spawn('nsenter', [`--net=${networkNamespacePath}`, process.execPath, '--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#children.push(child);
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', line => { lines.push(line); });
    return { child, lines };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map(endOf));
    for (const node of this.nodes) {
      await node.call('tearDown').catch(() => undefined);
      await node.kill();
    }
    for (const netns of [...this.nodes.map(node => node.netns), `${this.prefix}hub`]) {
      spawnSync('ip', ['netns', 'del', netns]);
    }
    rmSync(this.runDir, { recursive: true, force: true });
  }
}
