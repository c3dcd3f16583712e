import { realpathSync, statSync } from 'node:fs';
import { ClusterError } from '#model/errors.ts';
import { isBelowPrefix } from '#model/namespace.ts';
import type { DeviceMount } from '#model/service.ts';
import { deviceMajor, deviceMinor } from './device-number.ts';
import type { OciDevice } from './oci-isolation.ts';

/** What a node's configuration says about devices. */
export interface DevicePolicy {
  /** Nodes that services may name, and directories of such. */
  readonly devicePaths: readonly string[];
  /** Device nodes of each unit, by the unit's id. */
  readonly units: ReadonlyMap<string, readonly string[]>;
}

/** What a container is given: the device nodes it names, and those of its units. @throws ClusterError when the node does not offer one */
export function openDevices(named: readonly DeviceMount[], units: readonly string[], policy: DevicePolicy): readonly OciDevice[] {
  const ofUnits = units.flatMap(unit => {
    const paths = policy.units.get(unit);
    if (paths === undefined) {
      throw new ClusterError('FAILED_PRECONDITION', `device unit ${unit} is not declared on this node any more`);
    }
    return paths.map(path => ({ hostPath: path, target: path, access: 'rwm' }));
  });
  for (const { hostPath } of named) {
    if (!isBelowPrefix(hostPath, policy.devicePaths)) {
      throw new ClusterError('PERMISSION_DENIED', `device ${hostPath} is not one that this node lets tasks use`);
    }
  }
  const all = [...named.map(device => checkedDevice(device, policy.devicePaths)), ...ofUnits.map(device => describeDevice(device, device.hostPath))];
  return [...new Map(all.map(device => [device.path, device])).values()];
}

/** A link that leads out of what the node offers is refused like a path outside. */
function checkedDevice(device: DeviceMount, devicePaths: readonly string[]): OciDevice {
  const real = realPath(device.hostPath);
  if (!isBelowPrefix(real, devicePaths)) {
    throw new ClusterError('PERMISSION_DENIED', `device ${device.hostPath} leads to ${real}, which this node does not let tasks use`);
  }
  return describeDevice(device, real);
}

function describeDevice({ target, hostPath, access }: DeviceMount, source: string): OciDevice {
  const facts = statSync(source, { throwIfNoEntry: false });
  if (facts === undefined || !(facts.isCharacterDevice() || facts.isBlockDevice())) {
    throw new ClusterError('FAILED_PRECONDITION', `${hostPath} is no device on this node`);
  }
  return { path: target, source, type: facts.isBlockDevice() ? 'b' : 'c', major: deviceMajor(facts.rdev), minor: deviceMinor(facts.rdev), access };
}

function realPath(hostPath: string): string {
  try {
    return realpathSync(hostPath);
  } catch (cause) {
    throw new ClusterError('FAILED_PRECONDITION', `device ${hostPath} is not on this node`, { cause });
  }
}
