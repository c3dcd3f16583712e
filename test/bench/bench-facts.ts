/** Small translations of what the benches see. */
import type { ServiceEndpoints } from '#model/endpoints.ts';
import type { Task } from '#model/task.ts';
import type { AgentFigures } from './bench-node.ts';
import { rounded } from './report.ts';

/** The service of one running task, as a controller would tell it to every node. */
export function endpointsOf(task: Task, address: string): ServiceEndpoints {
  return {
    id: task.serviceId, namespace: task.namespace, app: task.app, service: task.service, kind: task.kind, virtualIp: '10.160.0.1', ports: task.container.ports,
    endpoints: [{ task: task.id, node: task.node, address, slot: task.slot, isHealthy: true }],
  };
}

/** Mean milliseconds of each step of a start since the agent began. */
export function startSteps(figures: AgentFigures): Readonly<Record<string, number>> {
  const steps: Record<string, number> = {};
  for (const [name, count] of figures) {
    const step = /^gantry_agent_start_step_seconds_count\{step="([a-z]+)"\}$/.exec(name)?.[1];
    if (step !== undefined) {
      steps[step] = rounded(((figures.get(`gantry_agent_start_step_seconds_sum{step="${step}"}`) ?? 0) * 1_000) / count);
    }
  }
  return steps;
}
