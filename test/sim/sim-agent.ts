/** An agent as it is shipped, but for its machine: session, tasks and endpoints over the simulated network. */
import { CAPABILITIES } from '#model/capability.ts';
import type { NodeId } from '#model/ids.ts';
import type { ControllerMessage, AgentMessage } from '#model/session.ts';
import { ClusterError } from '#model/errors.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import type { Resources } from '#model/resources.ts';
import type { Logger } from '#kit/logger.ts';
import { superviseLoops } from '#kit/supervise-loop.ts';
import { EMPTY_DESIRED_SET } from '../../agent/assignment.ts';
import { EndpointsLoop } from '../../agent/endpoints-loop.ts';
import { NodeLoop } from '../../agent/node-loop.ts';
import type { ControllerDialer } from '../../agent/ports.ts';
import { SessionLoop } from '../../agent/session-loop.ts';
import { recoverTasks } from '../../agent/task/recovery-flow.ts';
import { ReportBook } from '../../agent/task/report-book.ts';
import { StartGate } from '../../agent/task/start-gate-flow.ts';
import { TaskSet } from '../../agent/task/task-set-loop.ts';
import { VolumeRemovalLoop } from '../../agent/volume/removal-loop.ts';
import { T0 } from '../support/builders.ts';
import type { Random } from './random.ts';
import { TIMES, uuid } from './sim-controller.ts';
import type { SimController } from './sim-controller.ts';
import { SimMachine } from './sim-machine.ts';
import type { MachineWitness } from './sim-machine.ts';
import type { EndpointSet } from '#model/endpoints.ts';
import type { SimNet } from './sim-net.ts';
import { openStream } from './sim-stream.ts';
import type { Delivered, MessageFaults } from './sim-stream.ts';
import { SimProcess } from './sim-time.ts';
import type { SimTime } from './sim-time.ts';

export interface AgentWorld {
  readonly time: SimTime;
  readonly net: SimNet;
  readonly random: Random;
  readonly faults: MessageFaults;
  readonly controllers: readonly SimController[];
  readonly witness: MachineWitness & { applied(node: NodeId, set: EndpointSet): void };
  readonly onExit: (name: string, error: unknown) => void;
  readonly log: (name: string) => Logger;
  readonly onDelivered: (to: string, message: Delivered, sentAtMs: number) => void;
}

/** A dial that nobody answers. */
const DIAL_LIMIT_MS = 5_000;

export class SimAgent {
  readonly node: NodeId;
  readonly machine: SimMachine;
  readonly capacity: Resources;
  readonly #world: AgentWorld;
  #process: SimProcess | undefined;
  #reset: () => void = () => undefined;
  readonly #zone: string;
  #subnetIndex: number | undefined;
  #wallOffsetMs = 0;

  constructor(node: NodeId, index: number, capacity: Resources, world: AgentWorld) {
    this.node = node;
    this.capacity = capacity;
    this.#zone = index % 2 === 0 ? 'a' : 'b';
    this.#world = world;
    this.machine = new SimMachine(node, index, world);
  }

  get process(): SimProcess | undefined {
    return this.#process;
  }

  kill(): void {
    this.#process?.kill();
    this.#process = undefined;
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
    this.machine.clock.jumpWall(byMs);
    this.#process?.jumpWall(byMs);
  }

  /** The session's connection is reset. */
  resetSession(): void {
    this.#reset();
  }

  start(): void {
    const process = new SimProcess(this.#world.time, this.#wallOffsetMs);
    this.#process = process;
    this.#run(process).catch((error: unknown) => {
      if (!process.isDead) this.#world.onExit(this.node, error);
    });
  }

  async #run(process: SimProcess): Promise<void> {
    const { signal } = new AbortController();
    const { random, log } = this.#world;
    const assignments = this.machine.held(process);
    const held = await assignments.load();
    const reports = new ReportBook();
    const heardAgoMs = this.machine.deadman.heardAgoMs();
    const shared = { clock: process, log: log(this.node), random: () => random.next() };
    const recover = async (): Promise<TaskSet> => {
      const parts = {
        ...this.machine.parts(process), ...shared, permit: session, startGate: new StartGate(2, process), events: { happened: () => undefined },
        statuses: { report: (status: Parameters<ReportBook['take']>[0]) => { if (reports.take(status, process.monotonicMs())) session.poke(); }, drop: (task: Parameters<ReportBook['drop']>[0]) => { reports.drop(task); } },
      };
      const recovered = await recoverTasks(parts, held);
      return new TaskSet(parts, recovered, held ?? { ...EMPTY_DESIRED_SET, tasks: new Map(recovered.records.map(record => [record.task.id, record.task])) });
    };
    const node = new NodeLoop({ network: { setUp: () => Promise.resolve() }, proxy: { setUp: () => Promise.resolve() }, dns: { ensureRunning: () => Promise.resolve() }, recover, onNetworkFault: () => undefined });
    const endpoints = new EndpointsLoop([async set => { this.#world.witness.applied(this.node, set); await process.sleep(random.between(1, 40), signal); }], generation => { session.endpointsApplied(generation); }, shared);
    const removal = new VolumeRemovalLoop({
      ...shared, volumes: this.machine.parts(process).volumes, records: () => (node.isUp ? node.records : undefined), onAnswer: () => { session.poke(); },
    });
    const session: SessionLoop = new SessionLoop({
      volumeAnswers: () => removal.answers,
      ...shared, facts: this.#facts(), deadman: this.machine.deadman, networkFault: () => node.networkFault, listeningPorts: () => [], dialer: this.#dialer(process), held: assignments, reports, instance: this.machine.instance(process, () => uuid(random)),
      sink: {
        registered: async ({ subnetIndex }) => {
          this.#subnetIndex = subnetIndex;
          await node.bringUp(subnetIndex, signal);
        },
        desired: set => { node.desire(set); removal.desire(set); }, foreseen: (set, kept) => { node.foresee(set, kept); }, permitted: () => { node.wakeAll(); }, heard: () => { node.wakeExclusive(); }, endpoints: set => { endpoints.offer(set); },
        openTunnel: () => Promise.reject(new ClusterError('FAILED_PRECONDITION', 'no tunnels here')),
      },
    }, { controllers: this.#world.controllers.map(({ name }) => name), joinAddresses: [], times: TIMES, held: held ?? EMPTY_DESIRED_SET, ...(heardAgoMs === undefined ? {} : { heardAgoMs }) });
    if (this.#subnetIndex !== undefined) {
      await node.bringUp(this.#subnetIndex, signal);
    }
    await superviseLoops({ node, session, endpoints, removal }, signal);
  }

  #facts(): ConstructorParameters<typeof SessionLoop>[0]['facts'] {
    return {
      node: this.node, agentVersion: '0.1.0', bootId: this.machine.fake.bootId, address: '10.161.0.1', capacity: this.capacity, pids: 32_768, labels: new Map([['zone', this.#zone]]),
      runtimes: ['crun'], policy: CLOSED_NODE_POLICY, cpus: '0-3', architecture: 'amd64', metricsAddress: '', snapshotter: 'overlay', capabilities: CAPABILITIES,
    };
  }

  #dialer(process: SimProcess): ControllerDialer {
    const { net, time, controllers } = this.#world;
    const self = { name: this.node as string, process };
    return {
      dial: async (address, signal) => {
        const controller = controllers.find(({ name }) => name === address);
        return await process.answer((resolve, reject) => {
          const refuse = (reason: string): void => { reject(new ClusterError('UNAVAILABLE', reason)); };
          const stop = time.after(DIAL_LIMIT_MS, () => { refuse('no answer'); });
          signal.addEventListener('abort', () => { refuse('given up'); }, { once: true });
          net.send(self.name, address, () => {
            const peer = controller?.process;
            const replica = controller?.replica;
            net.send(address, self.name, () => {
              stop();
              if (peer?.isDead !== false || replica === undefined) {
                refuse('connection refused');
                return;
              }
              const stream = openStream<ControllerMessage, AgentMessage>(self, { name: address, process: peer }, this.#world);
              this.#reset = () => { stream.reset(); };
              peer.enter(() => { this.#serve(stream.right, replica); });
              resolve(stream.left);
            });
          });
        });
      },
      renew: () => Promise.reject(new ClusterError('UNAVAILABLE', 'no certificates here')),
      renewExpired: () => Promise.reject(new ClusterError('UNAVAILABLE', 'no certificates here')),
    };
  }

  /** The controller's end, as its server calls the handler: the signal ends with the stream. */
  #serve(end: ReturnType<typeof openStream<ControllerMessage, AgentMessage>>['right'], replica: NonNullable<SimController['replica']>): void {
    const over = new AbortController();
    const receive = async function* (): AsyncGenerator<AgentMessage> {
      try {
        yield* end.receive();
      } finally {
        over.abort(new ClusterError('UNAVAILABLE', 'the stream ended'));
      }
    };
    replica.agents.session({ ...end, receive }, { role: 'node', name: this.node, address: '', certifiedAtMs: T0 }, over.signal)
      .then(() => { end.close('done'); }, () => { end.close('failed'); });
  }
}
