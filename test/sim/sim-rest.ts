/** What must be so once nothing disturbs any more: I15, I8 on every machine, I5 of every picture, and what is kept (I17). */
import { isDeepStrictEqual } from 'node:util';
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { SimAgent } from './sim-agent.ts';
import { replicasOf } from './sim-budgets.ts';
import { isFinished } from '#model/task.ts';
import { volumeId } from '#model/volume.ts';
import type { SimChecker } from './sim-checker.ts';
import type { SimController } from './sim-controller.ts';

export function restProblems(checker: SimChecker, agents: readonly SimAgent[]): readonly string[] {
  const { snapshot } = checker;
  const services = [...snapshot.services.values()].flatMap(({ value }) => (isOfCron(value) ? cronProblems(value, checker) : serviceProblems(value, checker, agents.length)));
  const conditions = [...snapshot.nodes.values()].filter(({ value }) => value.condition !== 'ready').map(({ value }) => `I15: node ${value.id} is ${value.condition}`);
  return [...conditions, ...services, ...agents.flatMap(agent => [...leftovers(agent, checker), ...dataProblems(agent, checker)])];
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
  const { kind } = service.spec;
  const wanted = kind === 'global' ? nodes : replicasOf(snapshot, service);
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

/** I11, I8: data that nobody gave up is there; of what was given up nothing is left, nor is anything to be removed. */
function dataProblems({ machine, node }: SimAgent, { data, snapshot }: SimChecker): readonly string[] {
  const held = [...machine.fake.volumes.keys()];
  return [
    ...[...data].filter(([name, home]) => home === node && !held.includes(name)).map(([name]) => `I11: the data of volume ${name} is gone from ${node}`),
    ...held.filter(name => snapshot.volumes.get(volumeId(name, node))?.value.state !== 'present').map(name => `I8: ${node} still has data of volume ${name}`),
    ...[...snapshot.volumes.values()].filter(({ value }) => value.node === node && value.state === 'removing').map(({ value }) => `I8: volume ${value.name} is still being removed from ${node}`),
  ];
}

/** I5: whatever was lost, doubled or late on the way to it, each controller's picture is what etcd holds. */
export function pictureProblems(checker: SimChecker, controllers: readonly SimController[]): readonly string[] {
  const real = tablesOf(checker.snapshot);
  return controllers.flatMap(({ name, picture: held }) => {
    const tables = held === undefined ? real : tablesOf(held);
    const other = [...new Set([...real.keys(), ...tables.keys()])].filter(table => !isDeepStrictEqual(real.get(table), tables.get(table)));
    return other.length === 0 ? [] : [`I5: ${name} has another picture than etcd of ${other.join(', ')}`];
  });
}

function tablesOf({ etcdRevision: _, ...tables }: ClusterSnapshot): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(tables));
}

/** Of a slot, one that is over, two to be looked at, and one that the leader is about to remove. */
const MOST_ENDED = 4;

/** I17: records of what ended do not pile up. */
export function recordProblems({ snapshot }: SimChecker): readonly string[] {
  const ended = new Map<string, number>();
  for (const { value: { id, serviceId, slot } } of snapshot.tasks.values()) {
    const isOver = isFinished(snapshot.statuses.get(id)?.value.phase ?? 'pending');
    if (isOver) ended.set(`${serviceId} slot ${String(slot)}`, (ended.get(`${serviceId} slot ${String(slot)}`) ?? 0) + 1);
  }
  return [...ended].filter(([, count]) => count > MOST_ENDED).map(([slot, count]) => `I17: ${String(count)} ended tasks of ${slot} are kept`);
}
