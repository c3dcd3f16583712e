/** Views of a small cluster: App `shop` with `web` (three tasks on two nodes) and `db`. */
import type { ClusterView, ServiceView, TaskView } from '#model/ports.ts';
import { appId } from '#model/ids.ts';
import type { Service } from '#model/app.ts';
import type { TaskStatus } from '#model/task.ts';
import { node, resources, service, T0, task, taskId } from './builders.ts';

export const WEB = service({ name: 'web', container: { ports: [{ published: 80, target: 8080, protocol: 'tcp', mode: 'ingress', allowFrom: [] }] } });
export const DB = service({ name: 'db', kind: 'stateful', replicas: 1 });

export function taskView(of: Service, slot: number, on: string, options: Partial<TaskStatus> = {}): TaskView {
  const made = task(of, on, { slot, id: taskId(`${of.name}${'abc'.charAt(slot)}`) });
  const status: TaskStatus = {
    id: made.id, node: made.node, attempt: 1, phase: 'running', health: 'none', reason: '', message: '', address: `10.128.0.${String(10 + slot)}`, pid: 100 + slot,
    startedAtMs: T0, restarts: 0, isPaused: false, ...options,
  };
  return { task: made, status, state: status.phase };
}

export function serviceView(of: Service, counts: { readonly running: number; readonly healthy: number; readonly wanted: number }, state: 'settled' | 'progressing' | 'failed' | 'rolled_back' = 'settled', reason = ''): ServiceView {
  const status = { id: of.id, settledRevision: 1, rollout: { state, reason, revision: of.revision, startedAtMs: T0 }, pending: [], crashLoops: [] };
  return { service: of, status, ...counts };
}

export function clusterView(change: Partial<ClusterView> = {}): ClusterView {
  const n1 = node('n1', { labels: { zone: 'a' } });
  const n2 = node('n2', { availability: 'cordoned', taints: ['spot'] });
  return {
    etcdRevision: 10,
    apps: [{ id: appId('default', 'shop'), namespace: 'default', name: 'shop', revision: 1, isDeleting: false, deletesVolumes: false, createdAtMs: T0, updatedAtMs: T0 }],
    services: [serviceView(DB, { running: 1, healthy: 1, wanted: 1 }), serviceView(WEB, { running: 2, healthy: 2, wanted: 3 }, 'progressing', 'no node has room')],
    tasks: [
      taskView(DB, 0, 'n1', { health: 'healthy' }), taskView(WEB, 0, 'n1'),
      taskView(WEB, 1, 'n2', { restarts: 2, attempt: 3, lastExit: { attempt: 2, code: 137, reason: 'OOMKilled', finishedAtMs: T0 } }),
    ],
    pending: [{ service: WEB.id, slot: 2, reason: 'no node has room' }],
    nodes: [n1, n2].map(one => ({ node: one, ledger: { node: one.id, requests: resources(100, 64), hostPorts: [] }, lastSeenMs: T0 - 2_000 })),
    ...change,
  };
}

