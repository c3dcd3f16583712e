/** Nodes that may ever take tasks of a service: one mask for each rule, made once, and the rows where all of them hold. */
import { containersOf } from '#model/companion.ts';
import { formatPlacementRule, matches } from '#model/constraint.ts';
import type { Service } from '#model/app.ts';
import { missingCpu } from '#model/cpuset.ts';
import { missingPageSize, pageSizesOf } from '#model/hugepages.ts';
import { isBelowPrefix } from '#model/namespace.ts';
import type { Node } from '#model/node.ts';
import type { NodeTable } from './node-table.ts';

/** A filter of nodes by what it says: equal keys say the same. */
interface NodeRule {
  readonly key: string;
  readonly holds: (node: Node) => boolean;
}

/** Services with one key may go to the same nodes. */
export function classKey(service: Service): string {
  return rulesOf(service).map(rule => rule.key).join('\n');
}

/** Rows of the nodes on which `nodeObstacle` finds nothing, ascending. */
export function eligibleRows(table: NodeTable, service: Service): Int32Array {
  const rules = rulesOf(service);
  return table.list(`eligible ${rules.map(rule => rule.key).join('\n')}`, () => {
    const rows = new Int32Array(table.size);
    const all = joinMasks(table.size, rules.map(rule => table.mask(rule.key, rule.holds)));
    let length = 0;
    for (let row = 0; row < table.size; row += 1) {
      rows[length] = row;
      length += all[row] ?? 0;
    }
    return rows.subarray(0, length);
  });
}

/** 1 where all masks have it. */
function joinMasks(size: number, masks: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(size).fill(1);
  for (const mask of masks) {
    for (let row = 0; row < size; row += 1) {
      joined[row] = (joined[row] ?? 0) & (mask[row] ?? 0);
    }
  }
  return joined;
}

function rulesOf({ spec }: Service): readonly NodeRule[] {
  const { placement, container } = spec;
  const { runtime, limits: { cpuset } } = container;
  const pageSizes = pageSizesOf(spec);
  const tolerated = [...placement.tolerate].sort();
  return [
    { key: 'ready', holds: node => node.condition === 'ready' && node.availability === 'active' },
    { key: `tolerate ${tolerated.join(' ')}`, holds: node => node.taints.every(taint => tolerated.includes(taint)) },
    ...placement.require.map(rule => ({ key: `require ${formatPlacementRule(rule)}`, holds: (node: Node) => matches(rule, node.labels) })),
    { key: `runtime ${runtime}`, holds: node => node.runtimes.includes(runtime) },
    ...(cpuset === undefined ? [] : [{ key: `cpuset ${cpuset}`, holds: (node: Node) => missingCpu(cpuset, node.cpus) === undefined }]),
    ...(pageSizes.length === 0 ? [] : [{ key: `hugepages ${pageSizes.join(' ')}`, holds: (node: Node) => missingPageSize(spec, node.hugepageSizes) === undefined }]),
    ...(spec.onDisconnect.kind === 'exclusive' ? [{ key: 'deadman', holds: (node: Node) => node.hasDeadman }] : []),
    ...openingRules(spec),
    { key: 'network', holds: node => node.networkFault === '' },
  ];
}

function openingRules(spec: Service['spec']): readonly NodeRule[] {
  const containers = containersOf(spec);
  const isPrivileged = containers.some(container => container.security.profile === 'privileged');
  const binds = containers.flatMap(container => container.volumes).flatMap(mount => (mount.kind === 'bind' ? [mount.hostPath] : []));
  const devices = containers.flatMap(container => container.devices).map(device => device.hostPath);
  return [
    ...(isPrivileged ? [{ key: 'privileged', holds: (node: Node) => node.policy.allowsPrivileged }] : []),
    ...binds.map(path => ({ key: `bind ${path}`, holds: (node: Node) => isBelowPrefix(path, node.policy.bindPrefixes) })),
    ...devices.map(path => ({ key: `device ${path}`, holds: (node: Node) => isBelowPrefix(path, node.policy.devicePaths) })),
  ];
}
