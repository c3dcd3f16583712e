/**
 * A machine of its own for one real agent: network namespace, pinned mount namespace, a registry inside, and a controller's hand at the
 * other end of its session, over gRPC. Named by the process, so that tests run beside each other.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { FullAssignment } from '#model/assignment.ts';
import type { Digest } from '#model/digest.ts';
import type { TaskId } from '#model/ids.ts';
import type { ControllerSessionEnd } from '#model/ports.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { TEST_TIMES } from '#model/times.ts';
import { agentService } from '#rpc/agent-server.ts';
import { startRpcServer } from '#rpc/rpc-server.ts';
import type { RpcServer } from '#rpc/rpc-server.ts';
import { COVER_UNIFIED_GROUPS } from '../../cli/dev/hub-network-process.ts';
import { claim } from './claim.ts';
import { freePort } from './free-port.ts';
import { push } from './image-fixture.ts';
import { leaveNothingOf } from './last-will.ts';
import { eventually, run } from './node-namespaces.ts';
import { plainGroups } from './plain-groups.ts';
import { makeCertificate } from './registry-process.ts';
import { TestAuthority } from './rpc-cluster.ts';
import { silentLogger } from './silent-logger.ts';
import { buildTar } from './tar-builder.ts';
import { untilNone } from './until-none.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const NODE = 'n1';
/** Network slots that its agent keeps ready. */
const POOL_SIZE = 2;
const SLOT = /\/run\/slots\/([^/]+)/;

export class AgentMachine {
  readonly directory = mkdtempSync('/var/tmp/gantry-agent-');
  readonly scope = `ga${String(process.pid % 100_000)}`;
  readonly statuses = new Map<TaskId, TaskStatus>();
  /** Every status in the order it came, for what must never go back. */
  readonly history: TaskStatus[] = [];
  registrations = 0;
  /** When each heartbeat came: monotonic milliseconds. */
  readonly beatsAtMs: number[] = [];
  readonly #hostAddress: string;
  readonly #address: string;
  readonly #revokeWill = leaveNothingOf({ directory: this.directory, group: this.scope });
  readonly #processes: ChildProcess[] = [];
  #controller: RpcServer | undefined;
  #session: ControllerSessionEnd | undefined;
  #generation = 0;
  #tasks: readonly Task[] = [];
  #agent: ChildProcess | undefined;
  #registryPort = 0;
  #log = '';

  /** @param network  the first three bytes of its addresses */
  private constructor(network: string) {
    this.#hostAddress = `${network}.1`;
    this.#address = `${network}.2`;
  }

  static async create(): Promise<AgentMachine> {
    const machine = new AgentMachine(await ownNetwork());
    try {
      machine.#makeNamespaces();
      await machine.#startController();
      return machine;
    } catch (error) {
      await machine.close();
      throw error;
    }
  }

  get log(): string {
    return this.#log;
  }

  get agentPid(): number {
    return this.#agent?.pid ?? 0;
  }

  /** Puts a busybox image into a registry that the agent's machine has at 127.0.0.1. */
  async serveImage(command: readonly string[]): Promise<{ readonly image: string; readonly digest: Digest }> {
    const directory = path.join(this.directory, 'registry');
    mkdirSync(directory);
    await makeCertificate(directory);
    this.#registryPort = await freePort();
    writeFileSync(path.join(directory, 'config.yml'), `version: 0.1
log: { accesslog: { disabled: true }, level: error }
storage: { filesystem: { rootdirectory: ${directory}/data } }
http: { addr: '127.0.0.1:${String(this.#registryPort)}', tls: { certificate: ${directory}/cert.pem, key: ${directory}/key.pem } }
`);
    const outside = this.#start('docker-registry', ['serve', path.join(directory, 'config.yml')]);
    const server = { registry: `127.0.0.1:${String(this.#registryPort)}`, caPem: readFileSync(path.join(directory, 'cert.pem'), 'utf8') };
    const busybox = readFileSync('/bin/busybox');
    const layer = buildTar([
      { t: 'd', n: 'bin' }, { t: 'd', n: 'etc' }, { t: 'd', n: 'tmp', mode: 0o1777 }, { t: 'f', n: 'bin/busybox', data: busybox, mode: 0o755 }, { t: 'l', n: 'bin/sh', ln: 'busybox' }, { t: 'l', n: 'bin/sleep', ln: 'busybox' },
    ]);
    const request = await eventually('the registry takes the image', async () =>
      await push(server, 'test/busybox', { layers: [layer], config: { Cmd: [...command], Env: ['PATH=/bin'] } }).catch(() => undefined));
    outside.kill('SIGKILL');
    await once(outside, 'exit');
    this.#start('nsenter', [`--net=/run/netns/${this.scope}`, '--', 'docker-registry', 'serve', path.join(directory, 'config.yml')]);
    return { image: request.image, digest: request.digest };
  }

  async startAgent(environment: Readonly<Record<string, string>> = {}, options: readonly string[] = []): Promise<void> {
    const before = this.registrations;
    this.#agent = this.#inside(['run', ...options], environment);
    await eventually('the agent registers', () => this.registrations > before ? true : undefined);
  }

  /** kill -9. */
  async killAgent(): Promise<void> {
    const agent = this.#agent;
    if (agent?.exitCode === null && agent.signalCode === null) {
      agent.kill('SIGKILL');
      await once(agent, 'exit');
    }
  }

  /** Resolves when the agent ended by itself, e.g. at an armed failpoint. */
  async agentEnded(): Promise<void> {
    const agent = this.#agent;
    if (agent?.exitCode === null && agent.signalCode === null) {
      await once(agent, 'exit');
    }
  }

  /** Sends a full set; each later session starts with it too. */
  desire(...tasks: readonly Task[]): void {
    this.#tasks = tasks;
    this.#generation += 1;
    this.#sendFull();
  }

  async until(what: string, task: TaskId, holds: (status: TaskStatus) => boolean, timeoutMs?: number): Promise<TaskStatus> {
    return await eventually(what, () => {
      const status = this.statuses.get(task);
      return status !== undefined && holds(status) ? status : undefined;
    }, timeoutMs).catch((error: unknown) => {
      throw new Error(`${String(error)}; newest: ${JSON.stringify(this.statuses.get(task))}\n${this.#log.slice(-6_000)}`);
    });
  }

  /** The start journal: `TASK ATTEMPT`, one a line. */
  journal(): readonly string[] {
    return read(path.join(this.directory, 'state/starts')).split('\n').filter(line => line !== '');
  }

  hasRecord(task: TaskId): boolean {
    return existsSync(path.join(this.directory, 'state/tasks', task, 'record.json'));
  }

  /** Ids of the containers that conmon holds now. */
  containers(): readonly string[] {
    const held = readdirSync('/proc').filter(name => /^[0-9]+$/.test(name)).map(commandLine).filter(line => line.includes('conmon') && line.includes(this.directory));
    return held.map(line => /gantry-[a-z2-7]{12}-[0-9]+/.exec(line)?.[0] ?? line);
  }

  /** What the kernel still has of the agent: links, mounts, control groups, processes. */
  async leftovers(): Promise<readonly string[]> {
    return await untilNone(async () => [...this.#kernelObjects(), ...await plainGroups([this.scope])]);
  }

  /** Resolves once the agent knows nothing of the tasks any more. */
  async leaves(tasks: readonly TaskId[]): Promise<void> {
    await eventually('the tasks are forgotten', () => readdirSync(path.join(this.directory, 'state/tasks')).some(name => tasks.includes(name as TaskId)) ? undefined : true, 300_000);
  }

  /** All that lies in the agent's directories and in its control groups, but for the network slots that it keeps ready. */
  files(): readonly string[] {
    const look = `find ${this.directory}/run ${this.directory}/state; find /sys/fs/cgroup -path '*/${this.scope}*'; true`;
    const found = run('nsenter', `--mount=${this.#mountNamespace}`, '--', 'sh', '-c', look).split('\n');
    const slots = [...new Set(found.flatMap(file => SLOT.exec(file)?.[1] ?? []))].slice(POOL_SIZE);
    return found.filter(file => { const slot = SLOT.exec(file)?.[1]; return slot === undefined || slots.includes(slot); });
  }

  /** Of `paths` those that a user of the machine with no rights finds. */
  foundByOthers(paths: readonly string[]): readonly string[] {
    const look = 'while read -r path; do [ -e "$path" ] && echo "$path"; done; true';
    const found = execFileSync('nsenter', [`--mount=${this.#mountNamespace}`, '--', 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', look], { input: paths.join('\n'), encoding: 'utf8' });
    return found.split('\n').filter(path => path !== '');
  }

  #kernelObjects(): readonly string[] {
    const links = run('ip', '-n', this.scope, '-o', 'link').split('\n').filter(line => line.includes(this.scope.slice(0, 8)) && !line.includes(`${this.scope}n`));
    const mounts = run('nsenter', `--mount=${this.#mountNamespace}`, '--', 'cat', '/proc/self/mountinfo').split('\n').filter(line => line.includes(`${this.directory}/state`) || line.includes(`${this.directory}/run`));
    const groups = run('nsenter', `--mount=${this.#mountNamespace}`, '--', 'sh', '-c', `find /sys/fs/cgroup -path '*/${this.scope}*' 2>/dev/null; true`).split('\n').filter(line => line !== '');
    const processes = readdirSync('/proc').filter(name => /^[0-9]+$/.test(name) && !this.#isOurOwn(Number(name))).map(commandLine).filter(line => line.includes(this.directory));
    return [...links, ...mounts, ...groups, ...processes];
  }

  async leave(): Promise<void> {
    const leaving = this.#inside(['leave'], {});
    const [code] = await once(leaving, 'exit') as [number | null];
    if (code !== 0) {
      throw new Error(`leave: exit ${String(code)}\n${this.#log.slice(-4_000)}`);
    }
  }

  async close(): Promise<void> {
    await this.killAgent();
    for (const child of this.#processes) {
      child.kill('SIGKILL');
    }
    this.#killWhatIsLeft();
    await this.#controller?.close();
    run('sh', '-c', `ip netns del ${this.scope}; ip link del ${this.scope}h; umount ${this.#mountNamespace}; umount -l ${this.directory}/mnt; true`);
    run('sh', '-c', `find /sys/fs/cgroup -depth -type d -name ${this.scope} -exec rmdir {} + 2>/dev/null; true`);
    rmSync(this.directory, { recursive: true, force: true });
    this.#revokeWill();
  }

  /** After a test that failed in the middle: containers outlive their agent. */
  #killWhatIsLeft(): void {
    // Each in the turn of the look: a moment later the pid may be another process's. It may end by itself meanwhile.
    for (const pid of readdirSync('/proc').filter(name => /^[0-9]+$/.test(name))) {
      if (commandLine(pid).includes(this.directory) || read(`/proc/${pid}/cgroup`).includes(`/${this.scope.slice(0, 8)}/`)) {
        killIfThere(Number(pid));
      }
    }
  }

  /** Runs a program in the agent's mount namespace. */
  get enter(): readonly string[] {
    return ['nsenter', `--mount=${this.#mountNamespace}`, '--'];
  }

  get #mountNamespace(): string {
    return path.join(this.directory, 'mnt', NODE);
  }

  #isOurOwn(pid: number): boolean {
    return this.#processes.some(child => child.pid === pid);
  }

  #makeNamespaces(): void {
    chmodSync(this.directory, 0o711);
    for (const name of ['mnt', 'config', 'state', 'run']) {
      mkdirSync(path.join(this.directory, name), { mode: 0o700 });
    }
    run('ip', 'netns', 'add', this.scope);
    run('ip', 'link', 'add', `${this.scope}h`, 'type', 'veth', 'peer', 'name', `${this.scope}n`, 'netns', this.scope);
    run('ip', 'addr', 'add', `${this.#hostAddress}/30`, 'dev', `${this.scope}h`);
    run('ip', 'link', 'set', `${this.scope}h`, 'up');
    run('ip', '-n', this.scope, 'addr', 'add', `${this.#address}/30`, 'dev', `${this.scope}n`);
    run('ip', '-n', this.scope, 'link', 'set', 'lo', 'up');
    run('ip', '-n', this.scope, 'link', 'set', `${this.scope}n`, 'up');
    run('mount', '--bind', path.join(this.directory, 'mnt'), path.join(this.directory, 'mnt'));
    run('mount', '--make-private', path.join(this.directory, 'mnt'));
    writeFileSync(this.#mountNamespace, '');
    run('unshare', `--mount=${this.#mountNamespace}`, '--propagation', 'private', 'sh', '-c', COVER_UNIFIED_GROUPS);
  }

  async #startController(): Promise<void> {
    const authority = await TestAuthority.create();
    const { caPem, pair } = await authority.identity('node', NODE);
    writeFileSync(path.join(this.directory, 'config/ca.pem'), caPem);
    writeFileSync(path.join(this.directory, 'config/key.pem'), pair?.keyPem ?? '', { mode: 0o600 });
    writeFileSync(path.join(this.directory, 'config/certificate.pem'), pair?.certificatePem ?? '');
    const never = (): never => { throw new Error('not of this test'); };
    this.#controller = await startRpcServer({
      host: this.#hostAddress, port: 0, identity: await authority.identity('controller', 'c1'), clients: 'certified', log: silentLogger,
      services: [agentService({ session: async end => { await this.#hold(end); }, tunnel: never, renew: never, pullLogin: () => Promise.resolve(undefined) }, { log: silentLogger })],
    });
  }

  /** What a controller does with a session: registers it, acknowledges each beat, settles each status. */
  async #hold(end: ControllerSessionEnd): Promise<void> {
    for await (const message of end.receive()) {
      if (message.kind === 'register') {
        this.registrations += 1;
        this.#session = end;
        this.#take(message.statuses);
        end.send({ kind: 'registered', sessionId: String(this.registrations), subnetIndex: 3, times: TEST_TIMES, controllers: [], joinAddresses: [], clusterId: 'k' });
        this.#sendFull();
      } else if (message.kind === 'heartbeat') {
        this.beatsAtMs.push(performance.now());
        this.#take(message.statuses);
        end.send({ kind: 'ack', seq: message.seq, settled: message.statuses.map(status => ({ task: status.id, attempt: status.attempt, phase: status.phase })) });
      }
    }
  }

  #take(statuses: readonly TaskStatus[]): void {
    for (const status of statuses) {
      this.statuses.set(status.id, status);
      this.history.push(status);
    }
  }

  #sendFull(): void {
    const assignment: FullAssignment = { kind: 'full', epoch: 1, generation: this.#generation, tasks: this.#tasks, contents: [], volumeRemovals: [] };
    this.#session?.send({ kind: 'assignment', assignment });
  }

  #inside(verb: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
    return this.#start('nsenter', [
      `--net=/run/netns/${this.scope}`, `--mount=${this.#mountNamespace}`, '--', process.execPath, path.join(ROOT, 'agent/main.ts'), ...verb,
      '--node', NODE, '--controllers', `${this.#hostAddress}:${String(this.#controller?.port)}`, '--scope', this.scope.slice(0, 8), '--underlay-address', this.#address,
      '--config-dir', path.join(this.directory, 'config'), '--state-dir', path.join(this.directory, 'state'), '--run-dir', path.join(this.directory, 'run'),
      '--userns-base', String(2_000_000_000 + 65_536), '--pool', String(POOL_SIZE), '--capacity', 'cpu=1,memory=1Gi', '--log-level', 'info',
      ...(this.#registryPort === 0 ? [] : ['--registry-ca', path.join(this.directory, 'registry/cert.pem')]),
    ], environment);
  }

  #start(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
    child.stdout.setEncoding('utf8').on('data', (text: string) => { this.#log += text; });
    child.stderr.setEncoding('utf8').on('data', (text: string) => { this.#log += text; });
    this.#processes.push(child);
    return child;
  }
}

let claimed: Promise<string> | undefined;

/** `10.198.X`, of no other test on the machine; one machine after the other of this process has it. */
async function ownNetwork(): Promise<string> {
  claimed ??= (async () => {
    for (let index = 0; index < 250; index += 1) {
      const network = `10.198.${String(index)}`;
      if (await claim(`network-${network}`)) return network;
    }
    throw new Error('every network 10.198.X of this machine is taken by a test');
  })();
  return await claimed;
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it ended by itself.
  }
}

/** Empty for a process that ended meanwhile. */
function commandLine(pid: string): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
