import { CLOSED_NODE_POLICY } from '#model/node.ts';
import { ClusterError } from '#model/errors.ts';
import type { FullAssignment } from '#model/assignment.ts';
import { parseNodeId } from '#model/ids.ts';
import type { Heartbeat, Registered } from '#model/session.ts';
import { EMPTY_DESIRED_SET } from '../../agent/assignment.ts';
import type { DesiredSet } from '../../agent/assignment.ts';
import { SessionLoop } from '../../agent/session-loop.ts';
import { ReportBook } from '../../agent/task/report-book.ts';
import { NO_ANSWERS } from '../../agent/volume/removal.ts';
import type { VolumeAnswers } from '../../agent/volume/removal.ts';
import { service, task } from './builders.ts';
import { FakeClock, settle } from './fake-clock.ts';
import { SessionPair } from './session-pair.ts';
import { silentLogger } from './silent-logger.ts';

/** Of the session's controller. */
export const TIMES = { heartbeatMs: 500, lostMs: 4_000 };
export const TASK = task(service(), 'n1');

/** A full set with one task. */
export function full(generation: number, epoch = 1): FullAssignment {
  return { kind: 'full', epoch, generation, tasks: [TASK], contents: [], volumeRemovals: [] };
}

/** An agent's session loop, with controllers that the test plays. */
export class SessionRig {
  readonly clock = new FakeClock();
  readonly sessions: SessionPair[] = [];
  readonly dialled: string[] = [];
  readonly saved: DesiredSet[] = [];
  readonly desired: DesiredSet[] = [];
  readonly foreseen: DesiredSet[] = [];
  readonly endpoints: number[] = [];
  readonly reports = new ReportBook();
  isSaveFrozen = false;
  /** What the disk answers to an assignment. */
  saveFailure: Error | undefined;
  isNetworkBroken = false;
  accepted = 0;
  hasDeadman = true;
  networkFault = '';
  listeningPorts: readonly string[] = [];
  readonly heardUptimes: number[] = [];
  volumeAnswers: VolumeAnswers = NO_ANSWERS;
  readonly stopping = new AbortController();
  readonly loop: SessionLoop;

  constructor(held: DesiredSet = EMPTY_DESIRED_SET) {
    this.loop = new SessionLoop({
      volumeAnswers: () => this.volumeAnswers,
      facts: {
        node: parseNodeId('n1'), agentVersion: '0.1.0', bootId: 'b', address: '10.161.0.2', capacity: { milliCpu: 1, memoryBytes: 1 }, pids: 1,
        labels: new Map(), policy: CLOSED_NODE_POLICY, runtimes: ['crun'], architecture: 'amd64', metricsAddress: '', snapshotter: 'overlay', cpus: '0-3', capabilities: [],
      },
      dialer: {
        dial: address => {
          this.dialled.push(address);
          const pair = new SessionPair();
          this.sessions.push(pair);
          return Promise.resolve(pair.agentEnd);
        },
        renew: () => Promise.reject(new Error('not here')),
        renewExpired: () => Promise.reject(new Error('not here')),
      },
      held: {
        save: async set => {
          await (this.isSaveFrozen ? new Promise(() => undefined) : undefined);
          if (this.saveFailure !== undefined) throw this.saveFailure;
          this.saved.push(set);
        },
        load: () => Promise.resolve(undefined),
      },
      reports: this.reports,
      deadman: { isAtWork: () => this.hasDeadman, uptimeMs: () => this.clock.monotonicMs() + 50_000, heard: sentUptimeMs => { this.heardUptimes.push(sentUptimeMs); } },
      networkFault: () => this.networkFault, listeningPorts: () => this.listeningPorts,
      instance: { present: () => Promise.resolve({ previousNonce: 'p', nextNonce: 'n', clusterId: 'k' }), accepted: () => { this.accepted += 1; return Promise.resolve(); } },
      sink: {
        registered: async () => { await (this.isNetworkBroken ? Promise.reject(new Error('no link')) : undefined); },
        desired: set => { this.desired.push(set); },
        foreseen: (set, kept) => {
          this.foreseen.push(set);
          kept.catch(() => undefined);
        },
        permitted: () => undefined,
        heard: () => undefined,
        endpoints: set => { this.endpoints.push(set.generation); },
        openTunnel: () => Promise.reject(new ClusterError('NOT_FOUND', 'no such task')),
      },
      clock: this.clock, log: silentLogger, random: () => 0,
    }, { joinAddresses: [], controllers: ['c1:7400', 'c2:7400'], times: TIMES, held });
  }

  async begin(): Promise<SessionPair> {
    void this.loop.run(this.stopping.signal);
    await settle();
    return this.newest();
  }

  /** A session that is registered, with its first beat acknowledged. */
  async registered(): Promise<SessionPair> {
    const session = await this.begin();
    await this.register(session);
    return session;
  }

  async register(session: SessionPair, takes: Pick<Registered, 'takesNodeHealth' | 'takesNews'> = { takesNodeHealth: true, takesNews: true }): Promise<void> {
    session.say({ kind: 'registered', sessionId: 's', subnetIndex: 1, times: TIMES, controllers: ['c1:7400', 'c2:7400'], joinAddresses: ['c1:7403', 'c2:7403'], clusterId: 'k', ...takes });
    await this.pass(10);
  }

  newest(): SessionPair {
    const session = this.sessions.at(-1);
    if (session === undefined) {
      throw new Error('nothing was dialled');
    }
    return session;
  }

  async pass(durationMs: number): Promise<void> {
    await this.clock.advance(durationMs);
    await settle();
  }

  stop(): void {
    this.stopping.abort(new Error('test ends'));
  }
}

export function beats(session: SessionPair): readonly Heartbeat[] {
  return session.received.filter(message => message.kind === 'heartbeat');
}

/** The newest beat. */
export function acknowledge(session: SessionPair, settled: readonly { task: typeof TASK.id; attempt: number; phase: string }[] = []): void {
  session.say({ kind: 'ack', seq: beats(session).at(-1)?.seq ?? 0, settled });
}
