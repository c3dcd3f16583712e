/** Looks and hands for faults of one node of a local cluster. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { ControlClient, TaskView } from '#model/ports.ts';
import { runCommand, startProcess, TOOL_PATH } from '#kit/command-process.ts';
import type { DevCluster } from './dev-cluster.ts';
import { eventually } from './dev-cluster.ts';

const BIN = path.resolve(import.meta.dirname, '../../deploy/bin');

export interface AppOptions {
  readonly name: string;
  readonly image?: string;
  readonly replicas?: number;
  /** Run by `sh -c`. */
  readonly script?: string;
  /** More lines of the service, as YAML flow pairs. */
  readonly more?: readonly string[];
}

/** An App `NAME` with one service `main` that restarts soon and often. */
export function oneService({ name, image = 'hello:1', replicas = 1, script = 'trap "exit 0" TERM; while :; do sleep 1; done', more = [] }: AppOptions): string {
  return [
    'apiVersion: gantry/v1', 'kind: App', `metadata: { name: ${name} }`, 'services:', '  main:',
    `    image: ${image}`, `    replicas: ${String(replicas)}`, `    command: ["/bin/sh", "-c", ${JSON.stringify(script)}]`,
    '    stop_grace_period: 2s',
    ...(more.some(line => line.startsWith('restart:')) ? [] : ['    restart: { policy: always, max_attempts: 100, window: 10m, delay: 10ms }']),
    ...(more.some(line => line.startsWith('resources:')) ? [] : ['    resources: { requests: { cpus: 0.01, memory: 8Mi }, limits: { memory: 32Mi, pids: 64 } }']),
    ...more.map(line => `    ${line}`), '',
  ].join('\n');
}

/** The tasks of App `name` that are wanted, in the order of their slots. */
export async function wantedTasks(client: ControlClient, name: string): Promise<readonly TaskView[]> {
  const { tasks } = await client.view({ app: name });
  return tasks.filter(({ task }) => task.desired === 'run').sort((a, b) => a.task.slot - b.task.slot);
}

/** Waits until `count` tasks of the App run, and answers them. */
export async function running(client: ControlClient, name: string, count = 1, limitMs = 60_000): Promise<readonly TaskView[]> {
  return await eventually(`${String(count)} running tasks of ${name}`, limitMs, async () => {
    const tasks = await wantedTasks(client, name);
    return tasks.length === count && tasks.every(({ state }) => state === 'running') ? tasks : undefined;
  });
}

export type WithTask = (app: AppOptions, body: (view: TaskView) => Promise<void>) => Promise<void>;

/** Applies an App, runs `body` with its first task and deletes it. */
export async function runTask({ cluster, client }: { readonly cluster: DevCluster; readonly client: ControlClient }, app: AppOptions, body: (view: TaskView) => Promise<void>): Promise<void> {
  await cluster.apply(oneService(app));
  try {
    const [view] = await running(client, app.name, app.replicas);
    if (view !== undefined) await body(view);
  } catch (error) {
    // What went wrong first is what is told, also where this goes wrong too.
    await cluster.tryCtl('delete', `app/${app.name}`, '-y');
    throw error;
  }
  await cluster.ctl('delete', `app/${app.name}`, '-y');
}

/** The newest task of the App once `holds` of it. */
export async function taskOnce(client: ControlClient, app: string, what: string, holds: (view: TaskView) => boolean, limitMs = 60_000): Promise<TaskView> {
  return await eventually(what, limitMs, async () => (await client.view({ app })).tasks.find(holds));
}

/** The first process of a task on this machine. */
export function pidOf(view: TaskView | undefined): number {
  const pid = view?.status?.pid;
  if (pid === undefined) {
    throw new Error(`task ${view?.task.id ?? '?'} has no process`);
  }
  return pid;
}

/** Sends a signal again and again until `holds`: the first may come before the program has its trap, and a first process without one is sent none. Source: pid_namespaces(7) */
export async function signalUntil(pid: number, signal: NodeJS.Signals, what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const identity = identityOf(pid);
  await eventually(what, 60_000, async () => {
    if (await holds()) return true;
    if (identityOf(pid) === identity) process.kill(pid, signal);
    return false;
  });
}

/** `PID/STARTTICKS`, which no other process ever has; empty once it is gone or a zombie. */
export function identityOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : `${String(pid)}/${fields[19] ?? ''}`;
  } catch {
    return '';
  }
}

/** The monitor of a task's running attempt. */
export function monitorOf({ task, status }: TaskView): number {
  const id = `gantry-${task.id}-${String(status?.attempt ?? 0)}`;
  const found = readdirSync('/proc').filter(name => /^\d+$/.test(name)).find(name => {
    try {
      const [program = '', ...args] = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      return program.endsWith('conmon') && args.includes(id);
    } catch {
      return false;
    }
  });
  if (found === undefined) {
    throw new Error(`no monitor of ${id}`);
  }
  return Number(found);
}

/** Lines of a process's log from `fromByte` on, as objects; lines that are none are left out. */
export function logLines(cluster: DevCluster, name: string, fromByte = 0): readonly Readonly<Record<string, unknown>>[] {
  const text = readFileSync(logFile(cluster, name)).subarray(fromByte).toString('utf8');
  return text.split('\n').filter(line => line.startsWith('{')).map(line => JSON.parse(line) as Record<string, unknown>);
}

export function logSize(cluster: DevCluster, name: string): number {
  return existsSync(logFile(cluster, name)) ? readFileSync(logFile(cluster, name)).length : 0;
}

function logFile(cluster: DevCluster, name: string): string {
  return `${cluster.layout.stateDir}/logs/${name}.log`;
}

/** What a task wrote, line by line, from the node's disk. */
export function taskOutput(cluster: DevCluster, { task, status }: TaskView): readonly string[] {
  const file = `${cluster.layout.stateDir}/${task.node}/state/tasks/${task.id}/logs/${String(status?.attempt ?? 0)}.log`;
  return readFileSync(file, 'utf8').split('\n').filter(line => line !== '').map(line => line.split(' ').slice(3).join(' '));
}

/** Runs a program in a node's mount namespace, where its agent sees its files. */
export async function inMountsOf(cluster: DevCluster, node: string, program: string, ...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand('nsenter', [`--mount=${cluster.layout.runDir}/mnt/${node}`, program, ...args]);
  if (exitCode !== 0) {
    throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  }
  return stdout;
}

/** Arguments of nsenter for the namespaces of a node; none for what is no node. */
function namespacesOf(cluster: DevCluster, name: string): readonly string[] {
  const node = cluster.layout.nodes.find(one => one.name === name);
  return node === undefined ? [] : [`--net=/run/netns/${node.networkNamespace}`, `--mount=${cluster.layout.runDir}/mnt/${node.name}`, '--'];
}

/** How a node's running agent was started. */
export function agentCommand(cluster: DevCluster, node: string): { readonly program: string; readonly inside: readonly string[]; readonly agent: string; readonly args: readonly string[] } {
  const argv = readFileSync(`/proc/${String(cluster.process(node).pid ?? 0)}/cmdline`, 'utf8').split('\0').slice(0, -1);
  return { program: 'nsenter', inside: namespacesOf(cluster, node), agent: `${BIN}/gantry-agent`, args: argv.slice(argv.findIndex(word => word.endsWith('/agent.mjs')) + 1) };
}

/** Pids of monitors whose container's files are below `directory`. */
export function monitorsBelow(directory: string): readonly string[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).filter(name => {
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`${directory}/`) && readFileSync(`/proc/${name}/comm`, 'utf8').trim() === 'conmon';
    } catch {
      return false;
    }
  });
}

/** Ends the supervised process and runs it with more options instead, in the test's hands. */
export async function withOptions(cluster: DevCluster, name: string, ...more: readonly string[]): Promise<HandRun> {
  const { pid = 0 } = cluster.process(name);
  const { argv, environment } = commandOf(cluster, name);
  await cluster.ctl('dev', 'kill', name, '--name', cluster.name);
  await eventually(`${name} gone`, 60_000, () => identityOf(pid) === '');
  return new HandRun(cluster, name, { argv: [...argv, ...more], environment });
}

/** How a running process of the cluster was started. */
export function commandOf(cluster: DevCluster, name: string): Command {
  const { pid = 0 } = cluster.process(name);
  const environment = Object.fromEntries(readFileSync(`/proc/${String(pid)}/environ`, 'utf8').split('\0').filter(line => line !== '').map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  return { argv: readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0').slice(0, -1), environment };
}

export interface Command {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** One process of a cluster that the test runs itself. */
export class HandRun {
  readonly #cluster: DevCluster;
  readonly #name: string;
  readonly #command: Command;
  readonly #logFile: string;
  #pid = 0;

  constructor(cluster: DevCluster, name: string, command: Command, logFile = `${cluster.layout.stateDir}/logs/${name}.log`) {
    this.#logFile = logFile;
    this.#cluster = cluster;
    this.#name = name;
    this.#command = command;
    this.start();
  }

  get pid(): number {
    return this.#pid;
  }

  start(): void {
    const { argv: [program = '', ...args], environment } = this.#command;
    const inside = namespacesOf(this.#cluster, this.#name);
    const log = openSync(this.#logFile, 'a');
    const child = startProcess(inside.length === 0 ? program : 'nsenter', inside.length === 0 ? args : [...inside, program, ...args], {
      detached: true, stdio: ['ignore', log, log], cwd: '/', env: { PATH: TOOL_PATH, LC_ALL: 'C', HOME: '/root', ...environment },
    });
    closeSync(log);
    child.on('error', () => undefined);
    this.#pid = child.pid ?? 0;
  }

  async kill(): Promise<void> {
    if (identityOf(this.#pid) !== '') {
      process.kill(-this.#pid, 'SIGKILL');
    }
    await eventually(`${this.#name} gone`, 60_000, () => identityOf(this.#pid) === '');
  }

  /** Back into the supervisor's hands. */
  async giveBack(): Promise<void> {
    await this.kill();
    await this.#cluster.ctl('dev', 'start', this.#name, '--name', this.#cluster.name);
  }
}
