/** The controller's end of one real session: says what is to run, and hears what runs. Nothing is stored or scheduled. */
import { createAuthority, issueCertificate } from '#identity/certificate-authority.ts';
import type { KeyPair } from '#identity/certificate-authority.ts';
import { parseNodeId } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';
import type { ServiceEndpoints } from '#model/endpoints.ts';
import type { ControllerSessionEnd } from '#model/ports.ts';
import type { AgentMessage, ControllerMessage } from '#model/session.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { agentService } from '#rpc/agent-server.ts';
import { startRpcServer } from '#rpc/rpc-server.ts';
import type { RpcServer } from '#rpc/rpc-server.ts';
import { silentLogger } from '../support/silent-logger.ts';

const WAIT_LIMIT_MS = 30_000;

interface Waiter {
  readonly isDone: () => boolean;
  readonly resolve: () => void;
}

export class BenchController implements AsyncDisposable {
  readonly #address: string;
  readonly #authority: KeyPair;
  readonly #subnetIndex: number;
  readonly #statuses = new Map<TaskId, TaskStatus>();
  readonly #waiters = new Set<Waiter>();
  #tasks: ReadonlyMap<TaskId, Task> = new Map();
  #services: readonly ServiceEndpoints[] = [];
  #server: RpcServer | undefined;
  #end: ControllerSessionEnd | undefined;
  #generation = 1;
  /** Of the endpoint set that was sent last, and of the newest that is in force. */
  #publishedGeneration = 1;
  #endpointsGeneration = 0;
  #isReady = false;

  private constructor(address: string, authority: KeyPair, subnetIndex: number) {
    this.#address = address;
    this.#authority = authority;
    this.#subnetIndex = subnetIndex;
  }

  /** Listens with mutual TLS, as controllers do. */
  static async listen({ host, port, subnetIndex }: { readonly host: string; readonly port: number; readonly subnetIndex: number }): Promise<BenchController> {
    const authority = await createAuthority('bench', Date.now());
    const controller = new BenchController(`${host}:${String(port)}`, authority, subnetIndex);
    const pair = await issueCertificate(authority, { role: 'controller', name: 'c1', dnsNames: [], ipAddresses: [host] }, { nowMs: Date.now() });
    const service = agentService({
      session: async end => { await controller.#session(end); },
      tunnel: () => Promise.reject(new Error('a bench opens no tunnel')),
      renew: () => Promise.reject(new Error('a bench is shorter than a certificate')),
      pullLogin: () => Promise.resolve(undefined),
    }, { log: silentLogger });
    controller.#server = await startRpcServer({ host, port, identity: { caPem: authority.certificatePem, pair }, clients: 'certified', services: [service], log: silentLogger });
    return controller;
  }

  get address(): string {
    return this.#address;
  }

  /** Files of the config directory of a node that joined. */
  async identityFiles(node: string): Promise<Readonly<Record<string, string>>> {
    const pair = await issueCertificate(this.#authority, { role: 'node', name: node, dnsNames: [], ipAddresses: [] }, { nowMs: Date.now() });
    return { 'ca.pem': this.#authority.certificatePem, 'certificate.pem': pair.certificatePem, 'key.pem': pair.keyPem };
  }

  /** `ready` waits for the next registration. */
  expectRegistration(): void {
    this.#isReady = false;
  }

  /** The agent registered and took its first full set. */
  async ready(): Promise<void> {
    await this.#until('the agent registers', () => this.#isReady);
  }

  /** Sends one delta. */
  assign(upserts: readonly Task[], removals: readonly TaskId[] = []): void {
    const from = this.#generation;
    this.#generation += 1;
    const tasks = new Map(this.#tasks);
    upserts.forEach(task => tasks.set(task.id, task));
    removals.forEach(id => { tasks.delete(id); this.#statuses.delete(id); });
    this.#tasks = tasks;
    this.#send({ kind: 'assignment', assignment: { kind: 'delta', epoch: 1, from, generation: this.#generation, upserts, removals, contents: [], volumeRemovals: [] } });
  }

  /** Replaces the endpoints of all services. Resolves when the agent says that they are in force. */
  async publish(services: readonly ServiceEndpoints[]): Promise<void> {
    this.#services = services;
    this.#publishedGeneration += 1;
    const generation = this.#publishedGeneration;
    this.#sendEndpoints();
    await this.#until('endpoints are in force', () => this.#endpointsGeneration >= generation);
  }

  status(id: TaskId): TaskStatus | undefined {
    return this.#statuses.get(id);
  }

  /** Resolves as soon as a heartbeat says so of every task. @throws Error after a minute, or with the first task that failed */
  async reported(ids: readonly TaskId[], isIt: (status: TaskStatus) => boolean): Promise<void> {
    await this.#until('tasks are reported', () => ids.every(id => {
      const status = this.#statuses.get(id);
      return status !== undefined && isIt(status);
    }), () => JSON.stringify(ids.map(id => this.#statuses.get(id)).filter(status => status === undefined || !isIt(status)).slice(0, 3)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.close();
  }

  async #session(end: ControllerSessionEnd): Promise<void> {
    this.#end = end;
    for await (const message of end.receive()) {
      this.#take(message);
      for (const waiter of this.#waiters) {
        if (waiter.isDone()) waiter.resolve();
      }
    }
  }

  #take(message: AgentMessage): void {
    if (message.kind === 'register') {
      this.#send({ kind: 'registered', sessionId: String(this.#generation), subnetIndex: this.#subnetIndex, times: DEFAULT_TIMES, controllers: [this.#address], joinAddresses: [], clusterId: '' });
      this.#sendEndpoints();
      this.#send({ kind: 'assignment', assignment: { kind: 'full', epoch: 1, generation: this.#generation, tasks: [...this.#tasks.values()].sort((left, right) => (left.id < right.id ? -1 : 1)), contents: [], volumeRemovals: [] } });
    } else if (message.kind === 'heartbeat') {
      const settled = message.statuses.map(status => ({ task: status.id, attempt: status.attempt, phase: status.phase }));
      message.statuses.forEach(status => this.#statuses.set(status.id, status));
      this.#endpointsGeneration = Math.max(this.#endpointsGeneration, message.endpointsGeneration);
      this.#isReady ||= message.assignmentGeneration >= this.#generation;
      this.#send({ kind: 'ack', seq: message.seq, settled });
    }
  }

  #sendEndpoints(): void {
    this.#send({ kind: 'endpoints', endpoints: { generation: this.#publishedGeneration, services: this.#services, nodes: [{ id: parseNodeId('n1'), subnetIndex: this.#subnetIndex, address: this.#address.replace(/\.\d+:\d+$/, '.10') }] } });
  }

  #send(message: ControllerMessage): void {
    this.#end?.send(message);
  }

  async #until(what: string, isDone: () => boolean, details: () => string = () => ''): Promise<void> {
    if (isDone()) {
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => { reject(new Error(`waited ${String(WAIT_LIMIT_MS)} ms until ${what} ${details()}`)); }, WAIT_LIMIT_MS);
      const waiter: Waiter = { isDone, resolve: () => { clearTimeout(timer); this.#waiters.delete(waiter); resolve(); } };
      this.#waiters.add(waiter);
    });
  }
}
