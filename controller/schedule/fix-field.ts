/** Changes of one field of the manifest, each as its path and what to write there in YAML. */
import type { Service } from '#model/app.ts';
import { formatPlacementRule } from '#model/constraint.ts';
import type { ContainerSpec, PlacementSpec, ServiceAffinity, ServiceSpec, VolumeMount } from '#model/service.ts';
import type { Blocked, BlockedNode } from './blocked.ts';
import { distinct, serviceWords } from './candidate.ts';
import type { Candidate, FieldEdit } from './candidate.ts';
import { targetOf } from './claims.ts';
import type { Obstacle } from './filters.ts';
import { smallerRequests } from './fix-request.ts';

/** Limits that the service sets itself, a little wider. */
export function* loosened(blocked: Blocked, single: readonly BlockedNode[]): Iterable<Candidate> {
  const { placement } = blocked.service.spec;
  for (const taint of distinct(single.flatMap(({ node, obstacles: [one] }) => (one?.kind === 'taint' ? [...node.taints] : [])))) {
    const tolerate = distinct([...placement.tolerate, taint]);
    yield placementField(blocked, { tolerate }, { path: 'tolerate', value: listOf(tolerate), sentence: `let it run on nodes with the taint ${taint}` });
  }
  yield* widerMaxPer(blocked, single);
  yield* higherPriority(blocked, single);
  yield* otherPorts(blocked, single);
  yield* otherMachine(blocked, single);
}

/** What it asks for, down to what it finds. */
export function lessOfIt(blocked: Blocked): Iterable<Candidate> {
  return smallerRequests(blocked, containerField);
}

/** One rule less: of those that nodes break. Of another service of the same App, also that it keeps off. */
export function* withoutRules(blocked: Blocked, nodes: readonly BlockedNode[]): Iterable<Candidate> {
  const { service } = blocked;
  const { placement } = service.spec;
  const obstacles = nodes.flatMap(one => one.obstacles);
  for (const rule of distinct(obstacles.flatMap(one => (one.kind === 'label' ? [one.rule] : [])))) {
    const require = placement.require.filter(one => formatPlacementRule(one) !== rule);
    yield placementField(blocked, { require }, { path: 'require', value: listOf(require.map(one => JSON.stringify(formatPlacementRule(one)))), sentence: `give up the rule "${rule}"` });
  }
  for (const key of ['affinity', 'avoid'] as const) {
    for (const given of placement[key].filter(one => one.weight === undefined && obstacles.some(obstacle => isOf(obstacle, service, one)))) {
      const kept = placement[key].filter(one => one !== given);
      const sentence = key === 'affinity' ? `do not require ${given.service} on the same ${given.label}` : `let it share a ${given.label} with ${given.service}`;
      yield placementField(blocked, { [key]: kept }, { path: key, value: listOf(kept.map(affinityText)), sentence });
    }
  }
  yield* avoidedByOthers(blocked, obstacles);
}

function isOf(obstacle: Obstacle, service: Service, { service: name, label }: ServiceAffinity): boolean {
  return (obstacle.kind === 'near' || obstacle.kind === 'avoid') && obstacle.service === targetOf(service, name) && obstacle.label === label;
}

function* avoidedByOthers({ snapshot, service, ...blocked }: Blocked, obstacles: readonly Obstacle[]): Iterable<Candidate> {
  for (const id of distinct(obstacles.flatMap(one => (one.kind === 'avoid' ? [one.service] : [])))) {
    const record = [...snapshot.services.values()].find(({ value }) => value.id === id && value.app === service.app && value.namespace === service.namespace);
    const kept = record?.value.spec.placement.avoid.filter(one => targetOf(record.value, one.service) !== service.id) ?? [];
    if (record === undefined || kept.length === record.value.spec.placement.avoid.length) {
      continue;
    }
    const edit = { path: 'avoid', value: listOf(kept.map(affinityText)), sentence: `let ${record.value.name} share with it` };
    const other = placementField({ snapshot, ...blocked, service: record.value }, { avoid: kept }, edit);
    const services = new Map(snapshot.services).set(record.value.id, { ...record, value: other.service });
    yield { fix: other.fix, service, snapshot: { ...snapshot, services } };
  }
}

/** As many replicas as find a place, at least one. */
export function fewerReplicas(blocked: Blocked): readonly Candidate[] {
  const { service, first, slots } = blocked;
  const { kind, autoscale } = service.spec;
  if ((kind !== 'service' && kind !== 'stateful') || autoscale !== undefined || first.slot === 0) {
    return [];
  }
  const count = String(first.slot);
  const edit = { path: 'replicas', value: count, sentence: `be content with ${count} of ${String(service.spec.replicas)} replicas`, command: `clusterctl scale ${serviceWords(service)}=${count}` };
  return [{ ...fieldCandidate(blocked, { ...service.spec, replicas: first.slot }, edit), slots: slots.filter(one => one.slot < first.slot) }];
}

export function withoutGang(blocked: Blocked): readonly Candidate[] {
  const edit = { path: 'gang', value: 'false', sentence: 'start those that fit, without the rest of the gang' };
  return blocked.service.spec.placement.isGang ? [{ ...placementField(blocked, { isGang: false }, edit), isPartial: true }] : [];
}

/** Without one of the volumes that lie where the task cannot go. */
export function* withoutVolumes(blocked: Blocked): Iterable<Candidate> {
  const { container } = blocked.service.spec;
  for (const given of container.volumes.filter(mount => mount.kind === 'volume')) {
    const volumes = container.volumes.filter(mount => mount !== given);
    yield containerField(blocked, { volumes }, { path: 'volumes', value: listOf(volumes.map(mountText)), sentence: `do without the volume ${given.source}, whose data stays where it is` });
  }
}

function* widerMaxPer(blocked: Blocked, single: readonly BlockedNode[]): Iterable<Candidate> {
  const { placement } = blocked.service.spec;
  for (const label of distinct(single.flatMap(({ obstacles: [one] }) => (one?.kind === 'max-per' ? [one.label] : [])))) {
    for (let more = 1; more <= blocked.slots.length; more *= 2) {
      const maxPer = placement.maxPer.map(limit => (limit.label === label ? { ...limit, count: limit.count + more } : limit));
      const count = String(maxPer.find(limit => limit.label === label)?.count ?? 0);
      yield placementField(blocked, { maxPer }, { path: `max_per.${label}`, value: count, sentence: `allow ${count} tasks per ${label}` });
    }
  }
}

/** Above those that room is being made for. */
function* higherPriority(blocked: Blocked, single: readonly BlockedNode[]): Iterable<Candidate> {
  const held = single.flatMap(({ obstacles: [one] }) => (one?.kind === 'reserved' ? [one] : []));
  for (const priority of [...new Set(held.map(one => one.priority + 1))].sort((left, right) => left - right)) {
    yield placementField(blocked, { priority }, { path: 'priority', value: String(priority), sentence: 'let it go before those that room is being made for' });
  }
}

/** A port of the node that is free on all of them; else a port of the cluster's. */
function* otherPorts(blocked: Blocked, single: readonly BlockedNode[]): Iterable<Candidate> {
  const { container } = blocked.service.spec;
  const taken = new Set(single.flatMap(({ obstacles: [one] }) => (one?.kind === 'host-port' ? [one.port] : [])));
  for (const [index, port] of container.ports.entries()) {
    if (port.mode !== 'host' || port.published === undefined || !taken.has(`${port.protocol}/${String(port.published)}`)) {
      continue;
    }
    const change = (part: Partial<typeof port>): Partial<ContainerSpec> => ({ ports: container.ports.map((one, at) => (at === index ? { ...one, ...part } : one)) });
    const free = String(freePort(blocked, port.published, port.protocol));
    yield containerField(blocked, change({ published: Number(free) }), { path: `ports[${String(index)}].published`, value: free, sentence: `publish port ${String(port.target)} as ${free}, which is free` });
    if ([...blocked.snapshot.nodes.values()].some(({ value }) => value.listeningPorts.includes(`${port.protocol}/${String(port.published)}`))) continue;
    yield containerField(blocked, change({ mode: 'ingress' }), { path: `ports[${String(index)}].mode`, value: 'ingress', sentence: `publish port ${String(port.target)} on every node, wherever its tasks are` });
  }
}

/** The next one that no node has taken and no service publishes. */
function freePort({ snapshot, table }: Blocked, published: number, protocol: string): number {
  const names = [...snapshot.services.values()].flatMap(({ value }) => value.spec.container.ports.map(port => `${port.protocol}/${String(port.published)}`));
  const taken = new Set([...names, ...table.hostPorts.flatMap(ports => [...ports]), ...[...snapshot.nodes.values()].flatMap(({ value }) => value.listeningPorts)]);
  let port = published % 65_535 + 1;
  while (taken.has(`${protocol}/${String(port)}`)) {
    port = port % 65_535 + 1;
  }
  return port;
}

function* otherMachine(blocked: Blocked, single: readonly BlockedNode[]): Iterable<Candidate> {
  const { limits } = blocked.service.spec.container;
  for (const runtime of distinct(single.filter(one => one.obstacles[0]?.kind === 'runtime').flatMap(one => [...one.node.runtimes]))) {
    yield containerField(blocked, { runtime }, { path: 'runtime', value: runtime, sentence: `use the runtime ${runtime}` });
  }
  for (const cpuset of distinct(single.flatMap(({ obstacles: [one] }) => (one?.kind === 'cpuset' ? [one.cpus] : [])))) {
    yield containerField(blocked, { limits: { ...limits, cpuset } }, { path: 'resources.limits.cpuset', value: JSON.stringify(cpuset), sentence: `run on the cpus ${cpuset}` });
  }
}

function placementField(blocked: Blocked, change: Partial<PlacementSpec>, edit: FieldEdit): Candidate {
  const { spec } = blocked.service;
  return fieldCandidate(blocked, { ...spec, placement: { ...spec.placement, ...change } }, { ...edit, path: `placement.${edit.path}` });
}

function containerField(blocked: Blocked, change: Partial<ContainerSpec>, edit: FieldEdit): Candidate {
  const { spec } = blocked.service;
  return fieldCandidate(blocked, { ...spec, container: { ...spec.container, ...change } }, edit);
}

function fieldCandidate({ service, snapshot }: Blocked, spec: ServiceSpec, { path, value, sentence, command }: FieldEdit): Candidate {
  const whole = `services.${service.name}.${path}`;
  return { service: { ...service, spec }, snapshot, fix: { sentence: `${sentence}: ${whole}: ${value}`, edit: { kind: 'field', path: whole, value }, ...(command === undefined ? {} : { command }) } };
}

function listOf(items: readonly string[]): string {
  return `[${items.join(', ')}]`;
}

function affinityText({ service, label, weight }: ServiceAffinity): string {
  return label === 'node' && weight === undefined ? service : `{ service: ${service}, label: ${label}${weight === undefined ? '' : `, weight: ${String(weight)}`} }`;
}

function mountText(mount: VolumeMount): string {
  if (mount.kind === 'tmpfs') {
    return `{ type: tmpfs, target: ${JSON.stringify(mount.target)}, size: ${String(mount.sizeBytes)} }`;
  }
  const source = mount.kind === 'bind' ? mount.hostPath : mount.source;
  return `{ type: ${mount.kind}, source: ${JSON.stringify(source)}, target: ${JSON.stringify(mount.target)}, read_only: ${String(mount.readOnly)} }`;
}
