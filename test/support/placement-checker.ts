/** Checks placements by the rules of the manifest alone; shares no code with the scheduler. */
import type { Service } from '#model/app.ts';
import type { Node } from '#model/node.ts';
import type { PlacementRule } from '#model/service.ts';
import type { Task } from '#model/task.ts';

export interface Placed {
  readonly service: Service;
  readonly slot: number;
  readonly node: string;
}

/** One sentence for each rule that is broken; `tasks` run already. */
export function placementViolations(nodes: readonly Node[], tasks: readonly Task[], placed: readonly Placed[]): readonly string[] {
  const violations: string[] = [];
  for (const node of nodes) {
    const here = placed.filter(one => one.node === node.id);
    const containers = [...tasks.filter(task => task.node === node.id).map(task => task.container), ...here.map(one => one.service.spec.container)];
    const milliCpu = containers.reduce((sum, one) => sum + one.requests.milliCpu, 0);
    const memoryBytes = containers.reduce((sum, one) => sum + one.requests.memoryBytes, 0);
    if (here.length > 0 && (milliCpu > node.capacity.milliCpu || memoryBytes > node.capacity.memoryBytes)) violations.push(`${node.id} is too small`);
    const ports = containers.flatMap(one => one.ports).filter(port => port.mode === 'host').map(port => `${port.protocol} ${String(port.published)}`);
    if (new Set(ports).size < ports.length) violations.push(`${node.id} has a host port twice`);
    violations.push(...here.flatMap(one => nodeViolations(one.service, node)));
  }
  for (const one of placed) {
    for (const { label, count } of one.service.spec.placement.maxPer) {
      const value = (id: string): string => nodes.find(node => node.id === id)?.labels.get(label) ?? '';
      const on = [...placed.filter(other => other.service.id === one.service.id), ...tasks.filter(task => task.serviceId === one.service.id)];
      if (on.filter(other => value(other.node) === value(one.node)).length > count) violations.push(`${one.service.id} is more than ${String(count)} per ${label}`);
    }
  }
  return violations;
}

function nodeViolations({ id, spec }: Service, node: Node): readonly string[] {
  return [
    ...(node.availability === 'active' && node.condition === 'ready' ? [] : [`${id} on ${node.id}, which takes no tasks`]),
    ...node.taints.filter(taint => !spec.placement.tolerate.includes(taint)).map(taint => `${id} on the taint ${taint}`),
    ...spec.placement.require.filter(rule => !holds(rule, node.labels.get(rule.label))).map(rule => `${id} on ${node.id} against ${rule.label} ${rule.operator}`),
    ...(node.runtimes.includes(spec.container.runtime) ? [] : [`${id} on ${node.id} without its runtime`]),
  ];
}

function holds({ operator, values }: PlacementRule, have: string | undefined): boolean {
  switch (operator) {
    case 'exists': return have !== undefined;
    case 'not-exists': return have === undefined;
    case '==':
    case 'in': return have !== undefined && values.includes(have);
    case '!=':
    case 'not-in': return have === undefined || !values.includes(have);
    case '>': return Number(have) > Number(values[0]);
    case '<': return Number(have) < Number(values[0]);
  }
}
