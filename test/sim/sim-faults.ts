/** How each fault of a schedule is done, and undone. */
import { LEADER_KEY } from '../../controller/store/epoch.ts';
import { parseKey } from '../../controller/store/keys.ts';
import type { StoreBatch } from '../../controller/store/ports.ts';
import type { SimAgent } from './sim-agent.ts';
import { isLeaders } from './sim-checker.ts';
import type { SimController } from './sim-controller.ts';
import type { SimEtcd } from './sim-etcd.ts';
import type { SimNet } from './sim-net.ts';
import type { Disturbance } from './sim-schedule.ts';

type Undo = () => void;
type Kinds = Disturbance['kind'];
/** What the kinds of a table need besides their target. */
interface Given {
  readonly delayMs: number;
  readonly byMs: number;
}

export interface FaultWorld {
  readonly net: SimNet;
  readonly etcd: SimEtcd;
  readonly controllers: readonly SimController[];
  readonly agents: readonly SimAgent[];
  readonly onUntold: () => void;
}

export class SimFaults {
  readonly #world: FaultWorld;

  constructor(world: FaultWorld) {
    this.#world = world;
  }

  /** Begins the fault and answers how it ends; undefined for what an operator does. */
  begin(what: Disturbance): Undo | undefined {
    const given: Given = { delayMs: 'delayMs' in what ? what.delayMs : 0, byMs: 'byMs' in what ? what.byMs : 0 };
    const who = 'who' in what ? what.who : -1;
    const ofController = this.#ofController[what.kind];
    if (ofController !== undefined) {
      const target = who >= 0 ? this.#world.controllers[who] : this.#leader();
      return target === undefined ? nothing : ofController(target, given);
    }
    const agent = this.#world.agents[who];
    const ofNode = this.#ofNode[what.kind];
    return ofNode !== undefined && agent !== undefined ? ofNode(agent, given) : this.#ofEtcd[what.kind]?.();
  }

  readonly #ofController: Partial<Record<Kinds, (one: SimController, given: Given) => Undo>> = {
    'kill-controller': killController,
    'kill-leader': killController,
    'pause-controller': pauseProcess,
    'pause-leader': pauseProcess,
    'cut-controller': one => this.#cut(one.name, ['etcd'], 'both'),
    'cut-leader': one => this.#cut(one.name, ['etcd'], 'both'),
    'late-leader': one => this.#lateWrite(one),
    'slow-controller': (one, { delayMs }) => this.#slow(one.name, delayMs),
    'wall-controller': jumpWall,
  };

  readonly #ofNode: Partial<Record<Kinds, (one: SimAgent, given: Given) => Undo>> = {
    'kill-agent': killAgent,
    reboot: one => {
      const start = killAgent(one);
      one.machine.reboot();
      return start;
    },
    'pause-agent': pauseProcess,
    'full-disk': ({ machine }) => {
      machine.isDiskFull = true;
      return () => { machine.isDiskFull = false; };
    },
    crashes: ({ machine }) => {
      machine.crashRate = 0.02;
      return () => { machine.crashRate = 0; };
    },
    'slow-node': (one, { delayMs }) => this.#slow(one.node, delayMs),
    'wall-agent': jumpWall,
    'reset-session': one => {
      one.resetSession();
      return nothing;
    },
    'cut-node': one => this.#cut(one.node, this.#controllerNames(), 'both'),
    'cut-node-up': one => this.#cut(one.node, this.#controllerNames(), 'up'),
    'cut-node-down': one => this.#cut(one.node, this.#controllerNames(), 'down'),
  };

  readonly #ofEtcd: Partial<Record<Kinds, () => Undo>> = {
    'pause-etcd': () => pauseProcess(this.#world.etcd),
    'elect-etcd': () => {
      this.#world.etcd.stopServing();
      return () => { this.#world.etcd.serveAgain(); };
    },
    'restart-etcd': () => {
      this.#world.etcd.stopServing();
      return () => { this.#world.etcd.restart(); };
    },
    'compact-etcd': () => {
      const { memory } = this.#world.etcd;
      memory.compact(memory.etcdRevision);
      return nothing;
    },
    /** The next change is told to nobody. */
    'lose-event': () => {
      const { memory } = this.#world.etcd;
      const stop = memory.onChange(() => {
        stop();
        memory.forgetEvent(memory.etcdRevision);
        this.#world.onUntold();
      });
      return nothing;
    },
  };

  #leader(): SimController | undefined {
    return this.#world.controllers.find(one => one.isLeading) ?? this.#world.controllers[0];
  }

  /**
   * The leader's next write as a leader, and all that it sends to etcd after it, stays on its way until another leads: it comes right after the
   * new leader's key, before anything that the new one decides.
   */
  #lateWrite(one: SimController): Undo {
    const { net, etcd } = this.#world;
    let stopWatching = nothing;
    const stopWaiting = etcd.onSend(({ client, epoch, operations }) => {
      if (client === one.name && epoch !== undefined && operations.some(({ key }) => isLeaders(parseKey(key)))) {
        stopWaiting();
        net.cut(one.name, 'etcd');
        stopWatching = etcd.memory.onChange(() => { if (etcd.memory.historyAfter(etcd.memory.etcdRevision - 1).some(isNewLeader)) end(); });
      }
    });
    const end = (): void => {
      stopWaiting();
      stopWatching();
      net.heal(one.name, 'etcd');
    };
    return end;
  }

  #controllerNames(): readonly string[] {
    return this.#world.controllers.map(({ name }) => name);
  }

  #slow(name: string, delayMs: number): Undo {
    this.#world.net.slow(name, delayMs);
    return () => { this.#world.net.fast(name); };
  }

  #cut(near: string, far: readonly string[], direction: 'both' | 'up' | 'down'): Undo {
    const { net } = this.#world;
    const lanes = far.flatMap(other => [...(direction === 'down' ? [] : [[near, other] as const]), ...(direction === 'up' ? [] : [[other, near] as const])]);
    lanes.forEach(([from, to]) => { net.cut(from, to); });
    return () => { lanes.forEach(([from, to]) => { net.heal(from, to); }); };
  }
}

function isNewLeader({ changes }: StoreBatch): boolean {
  return changes.some(change => change.kind === 'put' && change.entry.key === LEADER_KEY && change.entry.createRevision === change.entry.modRevision);
}

function killController(one: SimController): Undo {
  one.kill();
  return () => { if (one.process === undefined) one.start(); };
}

function killAgent(one: SimAgent): Undo {
  one.kill();
  return () => { if (one.process === undefined) one.start(); };
}

function pauseProcess({ process }: Pick<SimController, 'process'>): Undo {
  process?.pause();
  return () => { process?.resume(); };
}

function jumpWall(one: { jumpWall(byMs: number): void }, { byMs }: Given): Undo {
  one.jumpWall(byMs);
  return () => { one.jumpWall(-byMs); };
}

function nothing(): void { /* it ends by itself */ }
