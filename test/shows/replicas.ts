import type { DevCluster } from '../support/dev-cluster.ts';

/** Runs `body` with so many replicas of the service, and then gives it back as many as it had. */
export async function withReplicas(cluster: DevCluster, service: string, replicas: number, body: () => Promise<void>): Promise<void> {
  const before = JSON.parse(await cluster.ctl('get', 'svc', service, '-o', 'json')) as { readonly replicas: number };
  try {
    await cluster.ctl('scale', `${service}=${String(replicas)}`, '--wait');
    await body();
  } finally {
    await cluster.ctl('scale', `${service}=${String(before.replicas)}`, '--wait');
  }
}
