/** What crosses between programs, as interfaces over model types: gRPC carries them in rpc/, memory in the simulation. */
import type { App, AppSpec, Revision, Service, ServiceStatus } from './app.ts';
import type { AddedNode, ClusterPlan, WhyAnswer } from './cluster-plan.ts';
import type { Digest } from './digest.ts';
import type { ClusterEvent } from './event.ts';
import type { AppId, NodeId, ServiceId, TaskId } from './ids.ts';
import type { NamespaceQuota, NamespaceView } from './namespace.ts';
import type { Availability, ControllerRecord, Ledger, Node } from './node.ts';
import type { SecurityProfile } from './service.ts';
import type { RegistryLogin } from './node-images.ts';
import type { ResourceChange } from './resources.ts';
import type { AgentMessage, ControllerMessage } from './session.ts';
import type { Task, TaskState, TaskStatus } from './task.ts';
import type { Tunnel, TunnelRequest } from './tunnel.ts';
import type { ClusterUsage } from './usage.ts';
import type { Volume } from './volume.ts';

/** Who calls, from the client certificate. */
export interface Peer {
  /** A `monitor` may read metrics and nothing else; a `server` (NATS, a registry) may call nothing. */
  readonly role: 'operator' | 'node' | 'controller' | 'monitor' | 'server';
  /** Certificate's name: user name, node id or controller id. */
  readonly name: string;
  /** Remote address without the port. */
  readonly address: string;
  /** When the certificate was issued, in Unix milliseconds, cut to the second; absent where none was asked for. */
  readonly certifiedAtMs?: number;
  /** Life of the certificate from its issue on; absent where none was asked for. */
  readonly certificateLifeMs?: number;
}

/** One end of an agent session. `receive` ends or throws when the stream is gone; `send` never blocks on the peer for ever: a full queue closes the session. */
export interface SessionEnd<Incoming, Outgoing> {
  receive(): AsyncIterable<Incoming>;
  send(message: Outgoing): void;
  close(reason: string): void;
}
export type AgentSessionEnd = SessionEnd<ControllerMessage, AgentMessage>;
export type ControllerSessionEnd = SessionEnd<AgentMessage, ControllerMessage>;

/** Answers of AgentApi: what agents call. */
export interface AgentHandlers {
  /** Runs the session until either end closes it. */
  session(end: ControllerSessionEnd, peer: Peer, signal: AbortSignal): Promise<void>;
  /** The agent dialled back for the tunnel it was told to open. */
  tunnel(tunnelId: string, tunnel: Tunnel, peer: Peer, signal: AbortSignal): Promise<void>;
  /** Renews the caller's own certificate for a new key. */
  renew(csrPem: string, peer: Peer): Promise<IssuedCertificate>;
  /** The namespace's login at a registry that an image of one of the caller's own tasks comes from. */
  pullLogin(request: { readonly namespace: string; readonly registry: string }, peer: Peer): Promise<RegistryLogin | undefined>;
}

export interface ReplaceNodeRequest {
  readonly node: NodeId;
  readonly ttlMs: number;
  /** Also a node that is ready and has tasks or data. */
  readonly isForced: boolean;
}

export interface ReplaceNodeAnswer {
  readonly token: string;
  readonly expiresAtMs: number;
  readonly pending: string;
}

export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly caPem: string;
}

/** The only call without a client certificate; on the same port, answered by token. */
export interface JoinHandlers {
  join(request: { readonly token: string; readonly nodeName: string; readonly csrPem: string }, remoteAddress: string): Promise<IssuedCertificate & { readonly controllers: readonly string[] }>;
  /** `csrPem` is signed by the key of `certificatePem`, the node's last one, which may have ended. */
  renewExpired(request: { readonly certificatePem: string; readonly csrPem: string }, remoteAddress: string): Promise<IssuedCertificate>;
}

/** One controller asks another. */
export interface PeerHandlers {
  /** Carries a client's tunnel to the node whose session this replica holds; never relayed further. */
  relay(request: TunnelRequest, tunnel: Tunnel, peer: Peer, signal: AbortSignal): Promise<void>;
  /** Resolves when every session held here acknowledged endpoints of at least `generation`, or after `timeoutMs`. */
  awaitEndpoints(generation: number, timeoutMs: number, peer: Peer): Promise<{ readonly isReached: boolean }>;
  /** True while a session of the node is held here and its agent was heard lately. */
  hearsNode(node: NodeId, peer: Peer): Promise<{ readonly isHeard: boolean }>;
}

/** A Task with all that a person wants to see of it. `state` counts the Node's condition in. */
export interface TaskView {
  readonly task: Task;
  readonly status?: TaskStatus;
  readonly state: TaskState;
}

/** A slot that fits nowhere: shown by `ps` as a pending row. */
export interface PendingSlot {
  readonly service: ServiceId;
  readonly slot: number;
  readonly reason: string;
}

export interface ServiceView {
  readonly service: Service;
  readonly status?: ServiceStatus;
  readonly running: number;
  readonly healthy: number;
  /** Tasks wanted now: replicas, or the eligible nodes of a global service. */
  readonly wanted: number;
}

export interface NodeView {
  readonly node: Node;
  readonly ledger: Ledger;
  readonly lastSeenMs?: number;
  readonly controllerId?: string;
}

export interface AppliedService {
  readonly name: string;
  readonly change: 'created' | 'updated' | 'unchanged' | 'removed';
  /** The Service's with this apply: of an unchanged one it may be lower than the App's. Absent: an older controller answered. */
  readonly revision?: number;
}

export interface ApplyOutcome {
  readonly app: string;
  readonly namespace: string;
  readonly revision: number;
  /** False when the Revision in force was the same already. */
  readonly isChanged: boolean;
  readonly services: readonly AppliedService[];
  /** E.g. that something cannot be placed now. */
  readonly warnings: readonly string[];
}

/** A record of a volume's data, with who uses it there. */
export interface VolumeView {
  readonly volume: Volume;
  /** Tasks on its node that mount it and have not ended. */
  readonly users: readonly { readonly task: TaskId; readonly name: string }[];
  /** Services that mount it and are not being deleted. */
  readonly services: readonly ServiceId[];
  /** Absent while a task uses it. */
  readonly unusedSinceMs?: number;
}

/** Narrow what a list returns; absent fields do not narrow. */
export interface ListFilter {
  readonly namespace?: string;
  readonly app?: string;
  readonly service?: string;
  readonly node?: NodeId;
  /** The view has no tasks, whatever there are: much less to make, to send and to read. */
  readonly withoutTasks?: boolean;
  /** A watch tells of it again when a record of an App, a service or a node is another, not at each start and end of what runs. Older controllers tell all. */
  readonly onlyRecords?: boolean;
  /** Of a watch: answers may have a `change`. Older controllers send each view whole. */
  readonly takesChanges?: boolean;
}

/** Changes of a watched view; `snapshot` first, then again whenever anything in it changed (newest state, intermediate ones may be skipped). */
export interface ClusterView {
  /** The one that was asked for, by the client that asked; absent: all. */
  readonly namespace?: string;
  readonly etcdRevision: number;
  readonly apps: readonly App[];
  readonly services: readonly ServiceView[];
  readonly tasks: readonly TaskView[];
  readonly pending: readonly PendingSlot[];
  readonly nodes: readonly NodeView[];
  readonly massBreaker?: { readonly reason: string };
  /** On the wire of a watch: the lists have only what is new or other since the answers before. Absent: they are whole. */
  readonly change?: ViewChange;
}

/** What follows the answers before in a watch of changes. Pending slots are those of the services in its view. */
export interface ViewChange {
  /** More of it follows: the picture is whole after the next one that is not partial. */
  readonly isPartial: boolean;
  readonly goneApps: readonly AppId[];
  readonly goneServices: readonly ServiceId[];
  readonly goneTasks: readonly TaskId[];
  readonly goneNodes: readonly NodeId[];
}

/** What `plan` asks: the Apps as they would be applied, in this order, on the cluster with and without these nodes. */
export interface PlanRequest {
  readonly apps: readonly AppSpec[];
  /** As if they were being drained. */
  readonly withoutNodes: readonly NodeId[];
  readonly addedNodes: readonly AddedNode[];
  /** Kept an hour, for `apply --plan`; refused with nodes that are other than they are. */
  readonly isSaved: boolean;
  /** An earlier Revision again; alone. */
  readonly undo?: UndoTarget;
}

/** What goes back, and to where. */
export interface UndoTarget {
  readonly namespace: string;
  readonly app: string;
  /** Absent: all services of the App. */
  readonly service?: string;
  /** Absent: the newest one that differs from what is wanted now. */
  readonly toRevision?: number;
}

export interface WhyRequest {
  readonly target: { readonly kind: 'service'; readonly service: ServiceId } | { readonly kind: 'task'; readonly task: TaskId };
  readonly node?: NodeId;
}

export interface ViewRequest {
  readonly filter: ListFilter;
  /** Tasks at most; 0: all. */
  readonly pageSize: number;
  readonly pageToken?: string;
}

/** Tasks come page by page, in order of ids; all other lists are whole in the first page and empty in the others. */
export interface ViewPage {
  readonly view: ClusterView;
  readonly nextPageToken?: string;
}

/** Whose resources are to change. */
export type ResourceTarget = { readonly kind: 'service'; readonly service: ServiceId } | { readonly kind: 'task'; readonly task: TaskId };

/** `promote` leaves the step behind that waits for it, `promote-all` all that there are. */
export const ROLLOUT_ACTIONS = ['pause', 'resume', 'promote', 'promote-all', 'abort'] as const;
export type RolloutAction = (typeof ROLLOUT_ACTIONS)[number];

/** A task whose slot is to go on at another node. */
export interface TaskMove {
  readonly task: TaskId;
  readonly node: NodeId;
}

/** Answers of ControlApi: what clusterctl calls. Every write carries a request id (UUID): repeated, it changes nothing more and answers the same. */
export interface ControlHandlers {
  apply(request: { readonly requestId: string; readonly app: AppSpec; readonly isDryRun: boolean; readonly expireAfterEndMs?: number; readonly planId?: string }, peer: Peer): Promise<ApplyOutcome>;
  /** `withVolumes`: the data of its volumes goes too, but for what services of other Apps use. */
  deleteApp(request: { readonly requestId: string; readonly namespace: string; readonly app: string; readonly withVolumes: boolean }, peer: Peer): Promise<void>;
  deleteService(request: { readonly requestId: string; readonly service: ServiceId }, peer: Peer): Promise<void>;
  scale(request: { readonly requestId: string; readonly service: ServiceId; readonly replicas: number }, peer: Peer): Promise<void>;
  /** Replaces every task of the service by its update rules. */
  restart(request: { readonly requestId: string; readonly service: ServiceId; readonly graceMs?: number }, peer: Peer): Promise<void>;
  /** @throws ClusterError FAILED_PRECONDITION where the rollout is not where the action makes sense */
  changeRollout(request: { readonly requestId: string; readonly service: ServiceId; readonly action: RolloutAction }, peer: Peer): Promise<void>;
  /**
   * The next Revision, made of an earlier one: images, configs and secrets together; replicas stay. `service`: it alone goes back.
   * @throws ClusterError NOT_FOUND for a revision that is not there, FAILED_PRECONDITION where a content of it is gone or shared
   */
  undo(request: UndoTarget & { readonly requestId: string }, peer: Peer): Promise<ApplyOutcome>;
  /** Which tasks would be better off elsewhere, without interrupting any service; nothing is changed. */
  planMoves(request: { readonly maxMoves: number; readonly namespace?: string }, peer: Peer): Promise<ClusterPlan>;
  /** All of these or none; each is carried out by its service's update rules. @throws ClusterError FAILED_PRECONDITION where a node cannot take its task */
  moveTasks(request: { readonly requestId: string; readonly moves: readonly TaskMove[] }, peer: Peer): Promise<void>;
  /** One run of a cron now, beside its schedule: the job that it is. */
  runCron(request: { readonly requestId: string; readonly service: ServiceId }, peer: Peer): Promise<{ readonly service: ServiceId }>;
  /** Ends one task; the reconciler makes another where the service still wants it. `graceMs`: instead of its own grace period. */
  stopTask(request: { readonly requestId: string; readonly task: TaskId; readonly graceMs?: number }, peer: Peer): Promise<void>;
  /** Of a service: the next Revision, which differs in this alone. Of one task: its own record, until its service's resources change. */
  updateResources(request: { readonly requestId: string; readonly target: ResourceTarget; readonly change: ResourceChange }, peer: Peer): Promise<void>;
  /** Freezes or thaws the processes of tasks, all of these or none. @throws ClusterError FAILED_PRECONDITION for one that is to stop or has ended */
  setPaused(request: { readonly requestId: string; readonly tasks: readonly TaskId[]; readonly isPaused: boolean }, peer: Peer): Promise<void>;
  viewPage(request: ViewRequest, peer: Peer): Promise<ViewPage>;
  watch(filter: ListFilter, peer: Peer, signal: AbortSignal): AsyncIterable<ClusterView>;
  revisions(request: { readonly namespace: string; readonly app: string }, peer: Peer): Promise<readonly Revision[]>;
  events(filter: { readonly object?: string; readonly sinceMs?: number }, peer: Peer): Promise<readonly ClusterEvent[]>;
  watchEvents(filter: { readonly object?: string; readonly sinceMs?: number }, peer: Peer, signal: AbortSignal): AsyncIterable<ClusterEvent>;
  putSecret(request: { readonly requestId: string; readonly namespace: string; readonly name: string; readonly content: Uint8Array }, peer: Peer): Promise<{ readonly version: number }>;
  listSecrets(request: { readonly namespace?: string }, peer: Peer): Promise<readonly { readonly namespace: string; readonly name: string; readonly version: number; readonly createdAtMs: number }[]>;
  deleteSecret(request: { readonly requestId: string; readonly namespace: string; readonly name: string }, peer: Peer): Promise<void>;
  /** Sorted by name, then node. */
  listVolumes(request: { readonly namespace?: string }, peer: Peer): Promise<readonly VolumeView[]>;
  /**
   * Gives the data up: nodes delete it as soon as they can. `name` is NAME, per replica NAME-SLOT; without a node all that have it.
   * @throws ClusterError FAILED_PRECONDITION while a task uses it; unless `isForced`, also while a service does
   */
  removeVolume(request: { readonly requestId: string; readonly namespace: string; readonly name: string; readonly node?: NodeId; readonly isForced: boolean }, peer: Peer): Promise<void>;
  /** Makes or changes the policy of a namespace; what is absent stays, and is closed for a new one. */
  putNamespace(request: { readonly requestId: string; readonly name: string; readonly profile?: SecurityProfile; readonly bindPrefixes?: readonly string[]; readonly quota?: NamespaceQuota }, peer: Peer): Promise<void>;
  /** Those with a policy or an App, sorted by name. */
  listNamespaces(peer: Peer): Promise<readonly NamespaceView[]>;
  /** Takes the namespace's policy away; what was applied under it stays. */
  deleteNamespace(request: { readonly requestId: string; readonly name: string }, peer: Peer): Promise<void>;
  createToken(request: { readonly requestId?: string; readonly ttlMs: number; readonly role: 'node' }, peer: Peer): Promise<{ readonly token: string; readonly expiresAtMs: number }>;
  /** For the operator that calls: its own name, and the life of the certificate that it shows. */
  renewCertificate(request: { readonly csrPem: string }, peer: Peer): Promise<{ readonly certificatePem: string }>;
  setAvailability(request: { readonly requestId: string; readonly node: NodeId; readonly availability: Availability }, peer: Peer): Promise<void>;
  setLabels(request: { readonly requestId: string; readonly node: NodeId; readonly set: ReadonlyMap<string, string>; readonly remove: readonly string[] }, peer: Peer): Promise<void>;
  setTaints(request: { readonly requestId: string; readonly node: NodeId; readonly taints: readonly string[] }, peer: Peer): Promise<void>;
  confirmLost(request: { readonly requestId: string; readonly node: NodeId }, peer: Peer): Promise<void>;
  /** Refused (FAILED_PRECONDITION) while tasks are on it, unless the node is lost. */
  removeNode(request: { readonly requestId: string; readonly node: NodeId }, peer: Peer): Promise<void>;
  /** Fences the node's machine; `token` is empty until that machine can run no task any more, and `pending` is the reason. */
  replaceNode(request: ReplaceNodeRequest, peer: Peer): Promise<ReplaceNodeAnswer>;
  /** Answers when every node with a session has the endpoints of a view's `etcdRevision` in force, or, with `isReached` false, after `timeoutMs` (10 s at most). */
  awaitRouted(request: { readonly etcdRevision: number; readonly timeoutMs: number }, peer: Peer): Promise<{ readonly isReached: boolean }>;
  clusterStatus(peer: Peer): Promise<{ readonly leader?: string; readonly epoch: number; readonly controllers: readonly ControllerRecord[]; readonly version: string; readonly clusterId: string }>;
  /** Of the tasks that the asked replica heard of within the last seconds. */
  usage(peer: Peer): Promise<ClusterUsage>;
  /** What would become of every task; nothing is changed. */
  plan(request: PlanRequest, peer: Peer): Promise<ClusterPlan>;
  why(request: WhyRequest, peer: Peer): Promise<WhyAnswer>;
  /** What the image's tag means now. `image` comes back with registry and tag filled in, without digest. */
  resolveImage(request: { readonly namespace: string; readonly image: string }, peer: Peer): Promise<{ readonly image: string; readonly digest: Digest }>;
  listTags(request: { readonly namespace: string; readonly image: string }, peer: Peer): Promise<{ readonly repository: string; readonly tags: readonly string[] }>;
  /** Gives an image another tag in its repository. */
  tagImage(request: { readonly requestId?: string; readonly namespace: string; readonly source: string; readonly target: string }, peer: Peer): Promise<{ readonly image: string; readonly digest: Digest }>;
  /** Asks the registry first; an earlier login of the namespace there is replaced. An empty registry is the default one. */
  putRegistryLogin(request: { readonly requestId: string; readonly namespace: string; readonly registry: string; readonly username: string; readonly password: string }, peer: Peer): Promise<{ readonly registry: string }>;
  listRegistryLogins(request: { readonly namespace?: string }, peer: Peer): Promise<readonly { readonly namespace: string; readonly registry: string; readonly username: string; readonly createdAtMs: number }[]>;
  deleteRegistryLogin(request: { readonly requestId: string; readonly namespace: string; readonly registry: string }, peer: Peer): Promise<{ readonly registry: string }>;
  /** The client's end of a tunnel: the controller finds the node's session, here or at a peer. */
  tunnel(request: TunnelRequest, tunnel: Tunnel, peer: Peer, signal: AbortSignal): Promise<void>;
}

type DropPeer<Arguments extends readonly unknown[]> = Arguments extends readonly [infer First, ...infer Rest]
  ? First extends Peer ? DropPeer<Rest> : [First, ...DropPeer<Rest>]
  : [];
type WithoutPeer<Handler> = Handler extends (...args: infer Arguments) => infer Answer ? (...args: DropPeer<Arguments>) => Answer : never;

/** ControlHandlers as a client calls them: the peer is its own certificate, and a tunnel is opened instead of served. */
export type ControlClient = { readonly [Name in keyof Omit<ControlHandlers, 'tunnel'>]: WithoutPeer<ControlHandlers[Name]> } & {
  /** All pages of a view as one. */
  view(filter: ListFilter): Promise<ClusterView>;
  /** The tunnel is open at once; what goes wrong arrives as its last frame (`error`) or as a throw of `frames`. */
  openTunnel(request: TunnelRequest, signal: AbortSignal): Tunnel;
  close(): void;
};
