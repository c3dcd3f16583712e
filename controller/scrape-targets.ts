import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';

/** One group of Prometheus's HTTP service discovery. Source: Prometheus, "HTTP SD", the list of `targets` and `labels`. */
export interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** Everything of the cluster that serves metrics: controllers that are alive, and nodes, lost ones too, in the order of their names. */
export function scrapeTargets(snapshot: ClusterSnapshot): readonly TargetGroup[] {
  const controllers = [...snapshot.controllers.values()]
    .filter(({ value }) => value.metricsAddress !== '')
    .map(({ value }) => ({ targets: [value.metricsAddress], labels: { job: 'gantry-controller', controller: value.id } }));
  const nodes = [...snapshot.nodes.values()]
    .filter(({ value }) => value.metricsAddress !== '')
    .map(({ value }) => ({ targets: [value.metricsAddress], labels: { job: 'gantry-agent', node: value.id } }));
  return [...controllers, ...nodes].sort((left, right) => ((left.targets[0] ?? '') < (right.targets[0] ?? '') ? -1 : 1));
}
