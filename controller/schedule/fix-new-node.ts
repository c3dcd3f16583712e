/** A node more, made for what waits. */
import { CAPABILITIES } from '#model/capability.ts';
import { containersOf, requestsOf } from '#model/companion.ts';
import { parseNodeId } from '#model/ids.ts';
import type { NodeId } from '#model/ids.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { isBelowPrefix } from '#model/namespace.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import type { Node, NodePolicy } from '#model/node.ts';
import type { Resources } from '#model/resources.ts';
import type { Blocked } from './blocked.ts';
import { distinct } from './candidate.ts';
import type { Candidate } from './candidate.ts';
import { labelChange, withLabels } from './fix-label.ts';
import { requestFor } from './request.ts';

const MIB = 1024 ** 2;
/** They mean something else in `--add-node`, where a label of that name is written with `label.` before it. */
const MACHINE_WORDS = new Set(['name', 'cpu', 'memory', 'disk', 'pids', 'device', 'taint', 'runtime']);
/** What a machine has anyway. */
const PIDS = 32_768;
const CPUS = '0-3';

/** Like the first that there is, with room for all slots, what the service's rules ask for, and no taints. */
export function newNode(blocked: Blocked): Candidate {
  const { service, snapshot } = blocked;
  const like = [...snapshot.nodes.values()].map(entry => entry.value).sort((left, right) => (left.id < right.id ? -1 : 1))[0];
  const id = unusedName(snapshot);
  const { container } = service.spec;
  const capacity = capacityFor(blocked);
  const machine = new Map([['node', id], ['arch', like?.labels.get('arch') ?? 'amd64'], ['os', 'linux']]);
  const given = givenLabels(blocked, machine, id);
  const cpus = container.limits.cpuset ?? CPUS;
  const policy = policyFor(blocked, like?.policy ?? CLOSED_NODE_POLICY);
  const value: Node = {
    id, availability: 'active', labels: new Map([...machine, ...given]), taints: [], subnetIndex: -1, address: '', capacity, pids: Math.max(PIDS, capacity.pids ?? 0),
    runtimes: [container.runtime], policy, metricsAddress: '', cpus, ...machineOf(like), hasDeadman: true, networkFault: '', listeningPorts: [], capabilities: CAPABILITIES,
    condition: 'ready', conditionSinceMs: 0, isLossConfirmed: false, createdAtMs: 0,
  };
  const parts = [...capacityText(capacity), ...[...given].map(([label, text]) => `${MACHINE_WORDS.has(label) ? 'label.' : ''}${label}=${text}`), ...machineText(blocked, value, like)];
  return {
    service, snapshot: { ...snapshot, nodes: new Map(snapshot.nodes).set(id, { value, createRevision: 0, modRevision: 0 }) },
    fix: { sentence: `add a node with ${parts.join(', ')}`, edit: { kind: 'node', node: id, change: `add ${parts.join(',')}` } },
  };
}

/** An operator gets further machines like the one that is there. */
function machineOf(like: Node | undefined): Pick<Node, 'agentVersion' | 'snapshotter' | 'hugepageSizes'> {
  const { agentVersion = '', snapshotter = '', hugepageSizes } = like ?? {};
  return { agentVersion, snapshotter, ...(hugepageSizes === undefined ? {} : { hugepageSizes }) };
}

function unusedName(snapshot: ClusterSnapshot): NodeId {
  let number = snapshot.nodes.size + 1;
  while (snapshot.nodes.has(parseNodeId(`new-${String(number)}`))) {
    number += 1;
  }
  return parseNodeId(`new-${String(number)}`);
}

function capacityFor({ service, slots }: Blocked): Resources {
  const { milliCpu, memoryBytes, diskBytes, pids } = requestsOf(service.spec);
  const mebibytes = (bytes: number): number => Math.ceil(bytes / MIB) * MIB;
  return {
    milliCpu: milliCpu * slots.length, memoryBytes: mebibytes(memoryBytes * slots.length),
    ...(diskBytes === undefined ? {} : { diskBytes: mebibytes(diskBytes * slots.length) }), ...(pids === undefined ? {} : { pids: pids * slots.length }),
  };
}

function capacityText({ milliCpu, memoryBytes, diskBytes, pids }: Resources): readonly string[] {
  return [
    `cpu=${String(milliCpu / 1000)}`, `memory=${String(memoryBytes / MIB)}Mi`,
    ...(diskBytes === undefined ? [] : [`disk=${String(diskBytes / MIB)}Mi`]), ...(pids === undefined ? [] : [`pids=${String(pids)}`]),
  ];
}

/** For rules; where a neighbour must be, as it has it; where others must not be or too many are, a value of its own. */
function givenLabels({ snapshot, service, table }: Blocked, machine: ReadonlyMap<string, string>, id: NodeId): ReadonlyMap<string, string> {
  const { placement } = service.spec;
  const labels = new Map([...withLabels(machine, labelChange(machine, placement.require) ?? new Map<string, string>())].filter(([label, value]) => machine.get(label) !== value));
  const { neighbours } = requestFor(snapshot, table, service);
  const give = (label: string, value: string | undefined): void => {
    if (value !== undefined && !machine.has(label) && !labels.has(label)) {
      labels.set(label, value);
    }
  };
  for (const { kind, label, counts, weight } of neighbours) {
    if (kind === 'near' && weight === undefined) {
      give(label, table.nodes.find((_, row) => counts.count(label, row) > 0)?.labels.get(label));
    }
  }
  [...neighbours.filter(one => one.kind === 'avoid' && one.weight === undefined), ...placement.maxPer].forEach(({ label }) => { give(label, id); });
  return labels;
}

function policyFor({ service, slots }: Blocked, like: NodePolicy): NodePolicy {
  const containers = containersOf(service.spec);
  const binds = containers.flatMap(one => one.volumes).flatMap(mount => (mount.kind === 'bind' ? [mount.hostPath] : []));
  const devices = containers.flatMap(one => one.devices).map(one => one.hostPath);
  const { deviceRequests } = service.spec.container;
  const missing = (paths: readonly string[], prefixes: readonly string[]): readonly string[] => distinct(paths.filter(path => !isBelowPrefix(path, prefixes)));
  return {
    bindPrefixes: [...like.bindPrefixes, ...missing(binds, like.bindPrefixes)], devicePaths: [...like.devicePaths, ...missing(devices, like.devicePaths)],
    devices: deviceRequests.map(({ name, count }) => ({ name, count: count * slots.length })),
    allowsPrivileged: like.allowsPrivileged || containers.some(one => one.security.profile === 'privileged'),
  };
}

/** What the others do not have, or the service asks for by name. */
function machineText({ service }: Blocked, { policy, cpus }: Node, like: Node | undefined): readonly string[] {
  const { runtime, limits: { cpuset } } = service.spec.container;
  const { bindPrefixes, devicePaths, allowsPrivileged } = like?.policy ?? CLOSED_NODE_POLICY;
  return [
    ...(like?.runtimes.includes(runtime) === true ? [] : [`runtime=${runtime}`]),
    ...(cpuset === undefined ? [] : [`cpus=${cpus.replaceAll(',', '+')}`]),
    ...policy.devices.map(({ name, count }) => `device=${name}:${String(count)}`),
    ...policy.bindPrefixes.filter(one => !bindPrefixes.includes(one)).map(one => `bind-prefix=${one}`),
    ...policy.devicePaths.filter(one => !devicePaths.includes(one)).map(one => `device-path=${one}`),
    ...(policy.allowsPrivileged && !allowsPrivileged ? ['allow-privileged=true'] : []),
  ];
}
