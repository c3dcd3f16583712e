/** One node of a crowd: a real session over gRPC and mutual TLS, with tasks that have no processes behind it. */
import { randomUUID } from 'node:crypto';
import { backoffMs } from '#kit/backoff.ts';
import { systemClock } from '#kit/clock.ts';
import { parseNodeId } from '#model/ids.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import type { AgentSessionEnd } from '#model/ports.ts';
import type { ControllerMessage } from '#model/session.ts';
import { connectAgent } from '#rpc/agent-client.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { CrowdTasks } from './crowd-tasks.ts';
import type { CrowdTally } from './crowd-tasks.ts';

/** As the agent's. */
const RECONNECT = { firstMs: 100, maxMs: 8_000 };

export interface CrowdNodeOptions {
  readonly name: string;
  /** Of controllers, in the order in which it dials them: the next one when no heartbeat was acknowledged by the one before. */
  readonly addresses: readonly string[];
  readonly identity: TlsIdentity;
  readonly tally: CrowdTally;
  /** Told of each change of `generation` and `isAcknowledged`. */
  readonly onChange: () => void;
}

export class CrowdNode {
  /** Of the endpoints that it was told last. */
  generation = 0;
  /** A heartbeat of the session that it has now was acknowledged. */
  isAcknowledged = false;
  /** Sets that were sent whole, and changes that did not follow. */
  readonly counts = { sets: 0, changes: 0, gaps: 0 };
  /** From a heartbeat to its acknowledgement, since it was emptied last. */
  roundTripsMs: number[] = [];
  readonly #options: CrowdNodeOptions;
  readonly #tasks: CrowdTasks;
  #end: AgentSessionEnd | undefined;
  /** The newest session had an acknowledgement. */
  #hasWorked = false;
  #nonces = { previousNonce: '', nextNonce: randomUUID() };

  constructor(options: CrowdNodeOptions) {
    this.#options = options;
    this.#tasks = new CrowdTasks(options.tally);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { addresses, onChange } = this.#options;
    let [failures, next] = [1, 0];
    for (; !signal.aborted; failures += 1) {
      await this.#oneSession(addresses[next % addresses.length] ?? '').catch(() => { /* dialled again, as an agent does */ });
      if (this.#hasWorked) failures = 1;
      else next += 1;
      this.isAcknowledged = false;
      onChange();
      await systemClock.sleep(backoffMs(RECONNECT, failures, Math.random()), signal).catch(() => undefined);
    }
  }

  /** Ends the connection that it has now, as a network that goes away does. */
  break(): void {
    this.isAcknowledged = false;
    this.#end?.close('broken off');
  }

  async #oneSession(address: string): Promise<void> {
    const connection = connectAgent(address, this.#options.identity);
    const end = connection.session();
    this.#end = end;
    this.#hasWorked = false;
    const pulse = new Pulse(end, () => this.generation, this.#tasks);
    try {
      end.send({
        kind: 'register', node: parseNodeId(this.#options.name), agentVersion: '0.1.0', bootId: 'b', address: '10.161.0.1', capacity: { milliCpu: 4_000, memoryBytes: 2 ** 33 }, pids: 32_768, labels: new Map(),
        policy: CLOSED_NODE_POLICY, runtimes: ['crun'], architecture: 'amd64', metricsAddress: '', snapshotter: 'overlay', hasDeadman: false, networkFault: '', listeningPorts: [], capabilities: [], cpus: '0-3', takesEndpointChanges: true, takesKeptTasks: true, statuses: this.#tasks.statuses(), knownRevision: 0, clusterId: '', ...this.#nonces,
      });
      for await (const message of end.receive()) {
        if (message.kind === 'go-elsewhere' || message.kind === 'refused') break;
        this.#take(message, pulse, end);
      }
    } finally {
      pulse.stop();
      connection.close();
    }
  }

  #take(message: ControllerMessage, pulse: Pulse, end: AgentSessionEnd): void {
    switch (message.kind) {
      case 'registered':
        this.#nonces = { previousNonce: this.#nonces.nextNonce, nextNonce: randomUUID() };
        pulse.start(message.times.heartbeatMs);
        return;
      case 'ack': {
        const tookMs = pulse.acknowledged(message.seq);
        if (tookMs !== undefined) this.roundTripsMs.push(tookMs);
        this.#tasks.settle(message.settled);
        this.isAcknowledged = true;
        this.#hasWorked = true;
        break;
      }
      case 'endpoints':
        this.counts.sets += 1;
        this.generation = message.endpoints.generation;
        pulse.beat();
        break;
      case 'endpoint-change':
        this.counts.changes += 1;
        if (message.change.from !== this.generation) {
          this.counts.gaps += 1;
          end.send({ kind: 'endpoints-gap' });
          return;
        }
        this.generation = message.change.generation;
        pulse.beat();
        break;
      case 'assignment':
        if (!this.#tasks.assign(message.assignment)) {
          end.send({ kind: 'assignment-gap' });
          return;
        }
        pulse.beat();
        break;
      default: return;
    }
    this.#options.onChange();
  }
}

/** The heartbeats of one session. */
class Pulse {
  readonly #end: AgentSessionEnd;
  readonly #generation: () => number;
  readonly #sentAt = new Map<number, number>();
  readonly #tasks: CrowdTasks;
  #timer: NodeJS.Timeout | undefined;
  #seq = 0;
  #acked = 0;

  constructor(end: AgentSessionEnd, generation: () => number, tasks: CrowdTasks) {
    this.#end = end;
    this.#generation = generation;
    this.#tasks = tasks;
  }

  /** The first at once, the others from anywhere in the interval on, so that the crowd's do not come together. */
  start(intervalMs: number): void {
    this.beat();
    this.#timer = setTimeout(() => {
      this.beat();
      this.#timer = setInterval(() => { this.beat(); }, intervalMs);
    }, Math.random() * intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  beat(): void {
    this.#seq += 1;
    this.#sentAt.set(this.#seq, performance.now());
    this.#end.send({ kind: 'heartbeat', seq: this.#seq, ackEcho: this.#acked, endpointsGeneration: this.#generation(), assignmentGeneration: this.#tasks.generation, statuses: this.#tasks.unsettled(), removedVolumes: [], keptVolumes: [] });
  }

  /** Milliseconds since it was sent; undefined for one that was acknowledged before. */
  acknowledged(seq: number): number | undefined {
    const sentAt = this.#sentAt.get(seq);
    this.#sentAt.delete(seq);
    this.#acked = Math.max(this.#acked, seq);
    return sentAt === undefined ? undefined : performance.now() - sentAt;
  }
}
