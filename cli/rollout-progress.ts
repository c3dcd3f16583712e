/** How far an apply has come, from one view of the cluster. */
import type { ClusterView, ServiceView, TaskView } from '#model/ports.ts';

export type Progress =
  | { readonly kind: 'waiting'; readonly lines: readonly string[] }
  | { readonly kind: 'done'; readonly lines: readonly string[] }
  | { readonly kind: 'failed'; readonly lines: readonly string[]; readonly reason: string };

export interface AwaitedApp {
  readonly namespace: string;
  readonly app: string;
  readonly revision: number;
}

/** Done when every service of the App is healthy at that revision and every job complete; failed when one cannot become so. */
export function judgeProgress(awaited: AwaitedApp, view: ClusterView): Progress {
  const services = view.services.filter(({ service }) => service.namespace === awaited.namespace && service.app === awaited.app);
  const judged = services.map(service => ({ service, ...judgeService(service, awaited.revision, view) }));
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

function judgeService(view: ServiceView, revision: number, cluster: ClusterView): Judged {
  const { service, status } = view;
  const tasks = cluster.tasks.filter(({ task }) => task.serviceId === service.id && task.revision >= service.revision);
  const pending = status?.pending.length ?? 0;
  if (service.spec.kind === 'job') {
    return judgeJob(view, tasks);
  }
  const rollout = status?.rollout;
  const isSettled = rollout?.state === 'settled' && (status?.settledRevision ?? 0) >= service.revision && service.revision <= revision;
  const counts = `${String(view.healthy)}/${String(view.wanted)} healthy${pending === 0 ? '' : `, ${String(pending)} pending`}`;
  if (rollout !== undefined && (rollout.state === 'rolled_back' || rollout.state === 'failed')) {
    return { state: 'failed', line: `${rollout.state === 'failed' ? 'failed' : 'rolled back'}: ${rollout.reason}` };
  }
  if (isSettled && view.healthy >= view.wanted) {
    return { state: 'done', line: counts };
  }
  return { state: 'waiting', line: `${counts}${describeBlocker(status, tasks)}` };
}

function judgeJob(view: ServiceView, tasks: readonly TaskView[]): Judged {
  const complete = tasks.filter(({ state }) => state === 'complete').length;
  const line = `${String(complete)}/${String(view.service.spec.replicas)} complete`;
  if (view.status?.rollout.state === 'failed') {
    return { state: 'failed', line: `failed: ${view.status.rollout.reason}` };
  }
  return complete >= view.service.spec.replicas ? { state: 'done', line } : { state: 'waiting', line: `${line}${describeBlocker(view.status, tasks)}` };
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
  const states = [...new Set(tasks.map(({ state }) => state))].filter(state => state !== 'running');
  return states.length === 0 ? '' : ` (${states.join(', ')})`;
}
