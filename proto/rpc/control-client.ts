import { ClusterError } from '#model/errors.ts';
import type { ClusterView, ControlClient, ListFilter, TaskView, ViewPage, ViewRequest } from '#model/ports.ts';
import { CONTROL } from './control-methods.ts';
import type { Method } from './method.ts';
import { RpcChannel } from './rpc-channel.ts';
import type { TlsIdentity } from './tls-fs.ts';
import { dialTunnel } from './tunnel-end.ts';
import { ViewFold } from './view-fold.ts';

/** A controller that takes no connection within this long is passed over. */
const CONNECT_TIMEOUT_MS = 3_000;

export interface ControlClientOptions {
  /** `host:port` of controllers; the first that answers is used until it fails. */
  readonly controllers: readonly string[];
  readonly identity: TlsIdentity;
  readonly timeoutMs?: number;
  /** Of `clusterStatus` alone, which probes whether a controller answers. */
  readonly statusTimeoutMs?: number;
}

/** ControlApi at whichever controller answers. A call repeated at the next one changes nothing more: writes carry request ids. */
export function createControlClient(options: ControlClientOptions): ControlClient {
  const replicas = new Replicas(options);
  const unary = <Request, Answer>(method: Method<Request, Answer>, timeoutMs = options.timeoutMs) =>
    (request: Request): Promise<Answer> => replicas.call(channel => channel.unary(method, request, callOptions(timeoutMs)));
  return {
    apply: unary(CONTROL.apply),
    deleteApp: unary(CONTROL.deleteApp),
    deleteService: unary(CONTROL.deleteService),
    scale: unary(CONTROL.scale),
    restart: unary(CONTROL.restart),
    changeRollout: unary(CONTROL.changeRollout),
    undo: unary(CONTROL.undo),
    planMoves: unary(CONTROL.planMoves),
    moveTasks: unary(CONTROL.moveTasks),
    runCron: unary(CONTROL.runCron),
    stopTask: unary(CONTROL.stopTask),
    updateResources: unary(CONTROL.updateResources),
    setPaused: unary(CONTROL.setPaused),
    viewPage: unary(CONTROL.viewPage),
    view: filter => viewAll(unary(CONTROL.viewPage), filter),
    watch: (filter, signal) => watchAll(replicas.stream(channel => channel.stream(CONTROL.watch, { ...filter, takesChanges: true }, signal)), filter),
    revisions: unary(CONTROL.revisions),
    events: unary(CONTROL.events),
    watchEvents: (filter, signal) => replicas.stream(channel => channel.stream(CONTROL.watchEvents, filter, signal)),
    putSecret: unary(CONTROL.putSecret),
    listSecrets: unary(CONTROL.listSecrets),
    deleteSecret: unary(CONTROL.deleteSecret),
    listVolumes: unary(CONTROL.listVolumes),
    removeVolume: unary(CONTROL.removeVolume),
    putNamespace: unary(CONTROL.putNamespace),
    listNamespaces: () => unary(CONTROL.listNamespaces)(undefined),
    deleteNamespace: unary(CONTROL.deleteNamespace),
    createToken: unary(CONTROL.createToken),
    renewCertificate: unary(CONTROL.renewCertificate),
    setAvailability: unary(CONTROL.setAvailability),
    setLabels: unary(CONTROL.setLabels),
    setTaints: unary(CONTROL.setTaints),
    confirmLost: unary(CONTROL.confirmLost),
    removeNode: unary(CONTROL.removeNode),
    replaceNode: unary(CONTROL.replaceNode),
    awaitRouted: unary(CONTROL.awaitRouted),
    clusterStatus: () => unary(CONTROL.clusterStatus, options.statusTimeoutMs)(undefined),
    usage: () => unary(CONTROL.usage)(undefined),
    plan: unary(CONTROL.plan),
    why: unary(CONTROL.why),
    resolveImage: unary(CONTROL.resolveImage),
    listTags: unary(CONTROL.listTags),
    tagImage: unary(CONTROL.tagImage),
    putRegistryLogin: unary(CONTROL.putRegistryLogin),
    listRegistryLogins: unary(CONTROL.listRegistryLogins),
    deleteRegistryLogin: unary(CONTROL.deleteRegistryLogin),
    openTunnel: (request, signal) => dialTunnel(replicas.current().duplex(CONTROL.openTunnel), request, signal),
    close: () => { replicas.close(); },
  };
}

function callOptions(timeoutMs: number | undefined): { readonly timeoutMs?: number } {
  return timeoutMs === undefined ? {} : { timeoutMs };
}

/** Tasks in one answer: about 1 KiB each, far below what a message may be. */
const PAGE_TASKS = 1_000;

async function viewAll(page: (request: ViewRequest) => Promise<ViewPage>, filter: ListFilter): Promise<ClusterView> {
  const first = await page({ filter, pageSize: PAGE_TASKS });
  const tasks: TaskView[] = [...first.view.tasks];
  for (let token = first.nextPageToken; token !== undefined;) {
    const next = await page({ filter, pageSize: PAGE_TASKS, pageToken: token });
    tasks.push(...next.view.tasks);
    token = next.nextPageToken;
  }
  return { ...first.view, ...scopeOf(filter), tasks };
}

async function* watchAll(views: AsyncIterable<ClusterView>, filter: ListFilter): AsyncGenerator<ClusterView, void, undefined> {
  const fold = new ViewFold();
  for await (const answer of views) {
    const view = fold.take(answer);
    if (view !== undefined) yield { ...view, ...scopeOf(filter) };
  }
}

function scopeOf({ namespace }: ListFilter): Pick<ClusterView, 'namespace'> {
  return namespace === undefined ? {} : { namespace };
}

/** The controllers in a ring, from the one that worked last. */
class Replicas {
  readonly #channels: readonly RpcChannel[];
  #current = 0;

  constructor({ controllers, identity }: ControlClientOptions) {
    if (controllers.length === 0) {
      throw new ClusterError('FAILED_PRECONDITION', 'no controller address is known');
    }
    this.#channels = controllers.map(address => new RpcChannel(address, identity));
  }

  current(): RpcChannel {
    const channel = this.#channels[this.#current];
    if (channel === undefined) {
      throw new RangeError('the ring of controllers is empty');
    }
    return channel;
  }

  /** @throws ClusterError of the last controller when all are UNAVAILABLE, else of the first that answered */
  async call<Answer>(attempt: (channel: RpcChannel) => Promise<Answer>): Promise<Answer> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt(await this.#reachable());
      } catch (error) {
        if (!isUnavailable(error) || tries >= this.#channels.length) {
          throw error;
        }
        this.#current = (this.#current + 1) % this.#channels.length;
      }
    }
  }

  /** A stream that broke is its reader's to start again: it may have given answers already. */
  async *stream<Answer>(open: (channel: RpcChannel) => AsyncIterable<Answer>): AsyncGenerator<Answer, void, undefined> {
    yield* open(await this.#reachable());
  }

  close(): void {
    for (const channel of this.#channels) {
      channel.close();
    }
  }

  /** The first channel from the current one on that connects; the last one tried when none does, so that its own error is told. */
  async #reachable(): Promise<RpcChannel> {
    for (let passed = 1; passed < this.#channels.length; passed += 1) {
      if (await this.current().isReachable(CONNECT_TIMEOUT_MS)) {
        break;
      }
      this.#current = (this.#current + 1) % this.#channels.length;
    }
    return this.current();
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ClusterError && error.code === 'UNAVAILABLE';
}
