/** What must be so once nothing disturbs any more: I15, and I8 on every machine. */
import type { Service } from '#model/app.ts';
import type { SimAgent } from './sim-agent.ts';
import type { SimChecker } from './sim-checker.ts';

export function restProblems(checker: SimChecker, agents: readonly SimAgent[]): readonly string[] {
  const { snapshot } = checker;
  const services = [...snapshot.services.values()].flatMap(({ value }) => (isOfCron(value) ? cronProblems(value, checker) : serviceProblems(value, checker, agents.length)));
  const conditions = [...snapshot.nodes.values()].filter(({ value }) => value.condition !== 'ready').map(({ value }) => `I15: node ${value.id} is ${value.condition}`);
  return [...conditions, ...services, ...agents.flatMap(agent => leftovers(agent, checker))];
}

function isOfCron({ spec, cronRun }: Service): boolean {
  return spec.kind === 'cron' || cronRun !== undefined;
}

/** At rest a cron is suspended: its runs are over, well or not. */
function cronProblems({ id }: Service, checker: SimChecker): readonly string[] {
  const busy = checker.running.filter(({ task }) => task.serviceId === id).length;
  return busy === 0 ? [] : [`I15: ${id} runs ${String(busy)} containers while its cron is suspended`];
}

/** Each wanted slot has one task of the newest template that serves (or is complete), and nothing else runs. */
function serviceProblems(service: Service, checker: SimChecker, nodes: number): readonly string[] {
  const { snapshot } = checker;
  const { kind, replicas } = service.spec;
  const wanted = kind === 'global' ? nodes : replicas;
  const tasks = [...snapshot.tasksOfService.get(service.id) ?? []].flatMap(id => snapshot.tasks.get(id)?.value ?? []);
  const good = tasks.filter(task => task.templateHash === service.templateHash
    && (kind === 'job' ? snapshot.statuses.get(task.id)?.value.phase === 'complete' : checker.isServing(task)));
  const running = checker.running.filter(({ task }) => task.serviceId === service.id).length;
  const rollout = snapshot.serviceStatuses.get(service.id)?.value.rollout;
  const isWell = good.length === wanted && new Set(good.map(({ slot }) => slot)).size === (kind === 'global' ? new Set(good.map(({ slot }) => slot)).size : wanted)
    && running === (kind === 'job' ? 0 : wanted) && rollout?.state === 'settled';
  return isWell ? [] : [`I15: ${service.id} wants ${String(wanted)}, ${String(good.length)} are good, ${String(running)} run, rollout ${JSON.stringify(rollout)}, `
    + `pending ${JSON.stringify(snapshot.serviceStatuses.get(service.id)?.value.pending)}, tasks ${JSON.stringify(tasks.map(task => [task.slot, task.node, task.desired, task.reason, task.templateHash === service.templateHash, snapshot.statuses.get(task.id)?.value.phase, snapshot.statuses.get(task.id)?.value.health]))}`];
}

/** I8: of each running container exactly its own, and nothing of any other. */
function leftovers({ machine, node }: SimAgent, checker: SimChecker): readonly string[] {
  const { fake } = machine;
  const wanted = [...checker.snapshot.tasksOnNode.get(node) ?? []].filter(id => checker.snapshot.statuses.get(id)?.value.phase === 'running');
  const running = fake.running();
  const stray = [...fake.containers.keys(), ...fake.rootfs, ...fake.bundles].filter(id => !running.includes(id));
  const known = [...fake.records.keys()].filter(id => !checker.snapshot.tasks.has(id));
  return [
    ...stray.map(id => `I8: ${node} still has something of ${id}, which does not run`),
    ...known.map(id => `I8: ${node} still has the record of task ${id}, which is gone`),
    ...(fake.slots.size === wanted.length ? [] : [`I8: ${node} has ${String(fake.slots.size)} network slots for ${String(wanted.length)} tasks`]),
    ...(fake.admitted.size === wanted.length ? [] : [`I8: ${node} lets out ${String(fake.admitted.size)} addresses for ${String(wanted.length)} tasks`]),
  ];
}
