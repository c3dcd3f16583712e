/** How far an apply has come, from one view of the cluster. */
import { pendingCountOf } from '#model/pending-count.ts';
import type { AppliedService, ClusterView, ServiceView, TaskView } from '#model/ports.ts';

export type Progress =
  | { readonly kind: 'waiting'; readonly lines: readonly string[] }
  | { readonly kind: 'done'; readonly lines: readonly string[] }
  | { readonly kind: 'failed'; readonly lines: readonly string[]; readonly reason: string };

export interface AwaitedApp {
  readonly namespace: string;
  readonly app: string;
  /** The App's at least; an older view says nothing yet. */
  readonly revision: number;
  /** The revision of each service that the caller waits for. Absent: any rollback is a failure. */
  readonly services?: readonly Pick<AppliedService, 'name' | 'revision'>[];
}

/** Done when every service of the App is healthy at that revision and every job complete; failed when one cannot become so. */
export function judgeProgress(awaited: AwaitedApp, view: ClusterView): Progress {
  const app = view.apps.find(one => one.namespace === awaited.namespace && one.name === awaited.app);
  if (app === undefined || app.revision < awaited.revision) {
    return { kind: 'waiting', lines: [] };
  }
  // What crons run is their own affair.
  const services = view.services.filter(({ service }) => service.namespace === awaited.namespace && service.app === awaited.app && service.cronRun === undefined);
  const judged = services.map(service => ({ service, ...judgeService({ view: service, cluster: view, asked: askedRevision(awaited, service) }) }));
  const lines = judged.map(({ service, line }) => `${service.service.app}/${service.service.name}: ${line}`);
  const failure = judged.find(({ state }) => state === 'failed');
  if (failure !== undefined) {
    return { kind: 'failed', lines, reason: `${failure.service.service.app}/${failure.service.service.name}: ${failure.line}` };
  }
  return { kind: judged.every(({ state }) => state === 'done') ? 'done' : 'waiting', lines };
}

interface Judged {
  readonly state: 'waiting' | 'done' | 'failed';
  readonly line: string;
}

interface AwaitedService {
  readonly view: ServiceView;
  readonly cluster: ClusterView;
  /** Undefined: not known. */
  readonly asked: number | undefined;
}

function askedRevision({ services }: AwaitedApp, { service }: ServiceView): number | undefined {
  return services?.find(one => one.name === service.name)?.revision;
}

function judgeService({ view, cluster, asked }: AwaitedService): Judged {
  const { service, status } = view;
  const tasks = cluster.tasks.filter(({ task }) => task.serviceId === service.id && task.revision >= service.revision);
  if (service.spec.kind === 'job') {
    return judgeJob(view, tasks);
  }
  const failure = describeFailure(view, asked);
  if (failure !== undefined) {
    return { state: 'failed', line: failure };
  }
  const pending = status === undefined ? 0 : pendingCountOf(status);
  const counts = `${describeUpdated(view, cluster)}${String(view.healthy)}/${String(view.wanted)} healthy${pending === 0 ? '' : `, ${String(pending)} pending`}`;
  const rest = describeRest(view);
  if (rest !== undefined) {
    return { state: 'done', line: `${counts} (${rest})` };
  }
  return isSettled(view, asked) && view.healthy >= view.wanted ? { state: 'done', line: counts } : { state: 'waiting', line: `${counts}${describeBlocker(status, tasks)}` };
}

/** How many tasks of this Revision serve, while some of an earlier one do too. */
function describeUpdated({ service, wanted }: ServiceView, cluster: ClusterView): string {
  const serving = cluster.tasks.filter(({ task, state, status }) => task.serviceId === service.id && state === 'running' && status?.health !== 'starting' && status?.health !== 'unhealthy');
  const updated = serving.filter(({ task }) => task.revision >= service.revision).length;
  const isMixed = cluster.tasks.some(({ task }) => task.serviceId === service.id && task.revision >= service.revision) && updated < serving.length;
  return isMixed ? `${String(updated)}/${String(wanted)} updated, ` : '';
}

/** A rollout that goes on only when somebody says so. */
function describeRest({ service, status }: ServiceView): string | undefined {
  const state = status !== undefined && status.rollout.revision >= service.revision ? status.rollout.state : undefined;
  return state === 'paused' || state === 'awaiting_promotion' ? status?.rollout.reason : undefined;
}

/** The leader has seen this revision of the service and brought it home. */
function isSettled(view: ServiceView, asked?: number): boolean {
  const { service, status } = view;
  return (status?.rollout.state === 'settled' && status.rollout.revision >= service.revision) || isBackAtAsked(view, asked);
}

/** A later revision was rolled back to the one that was asked for. */
export function isBackAtAsked({ service, status }: ServiceView, asked: number | undefined): boolean {
  return asked !== undefined && service.revision >= asked && status?.rollout.state === 'rolled_back' && status.settledRevision === service.revision;
}

/** Of the newest Revision; a rolled back service is at an older one again. */
function describeFailure(view: ServiceView, asked?: number): string | undefined {
  const { service, status } = view;
  if (status === undefined || status.rollout.revision < service.revision || isBackAtAsked(view, asked)) {
    return undefined;
  }
  if (status.rollout.state === 'rolled_back') {
    return `rolled back: ${status.rollout.reason}`;
  }
  return status.rollout.state === 'failed' ? `failed: ${status.rollout.reason}` : undefined;
}

function judgeJob(view: ServiceView, tasks: readonly TaskView[]): Judged {
  const complete = tasks.filter(({ state }) => state === 'complete').length;
  const line = `${String(complete)}/${String(view.service.spec.replicas)} complete`;
  const failure = describeFailure(view);
  if (failure !== undefined) {
    return { state: 'failed', line: failure };
  }
  return complete >= view.service.spec.replicas || isSettled(view) ? { state: 'done', line } : { state: 'waiting', line: `${line}${describeBlocker(view.status, tasks)}` };
}

function describeBlocker(status: ServiceView['status'], tasks: readonly TaskView[]): string {
  const [pending] = status?.pending ?? [];
  if (pending !== undefined) {
    return ` (${pending.reason})`;
  }
  const blocked = tasks.find(task => (task.status?.reason ?? '') !== '' && task.state !== 'complete');
  if (blocked?.status !== undefined) {
    return ` (${blocked.task.name}: ${blocked.status.reason}${blocked.status.message === '' ? '' : `: ${blocked.status.message}`})`;
  }
  const pulling = tasks.find(({ state, status }) => state === 'pulling' && (status?.message ?? '') !== '');
  if (pulling?.status !== undefined) {
    return ` (${pulling.task.name}: ${pulling.status.message})`;
  }
  const states = [...new Set(tasks.map(({ state }) => state))].filter(state => state !== 'running');
  return states.length === 0 ? '' : ` (${states.join(', ')})`;
}
