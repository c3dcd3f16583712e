import { CAPABILITIES } from '#model/capability.ts';
import type { NodePolicy } from '#model/node.ts';
import { reachableAddress } from './config.ts';
import type { AgentConfig } from './config.ts';
import { defaultCapacity, defaultDiskBytes, goArchitecture, readCpus, readMaxPids } from './machine-fs.ts';
import type { NodeFacts } from './ports.ts';
import { deviceNameOf } from './task/device-units.ts';
import type { Machine } from './machine-flow.ts';

export const AGENT_VERSION = '0.1.0';

/** What a node says of itself when it registers. */
export async function nodeFacts(config: AgentConfig, machine: Machine): Promise<NodeFacts> {
  return {
    node: config.node,
    agentVersion: AGENT_VERSION,
    bootId: machine.bootId,
    address: machine.underlayAddress,
    capacity: { diskBytes: await defaultDiskBytes(config.stateDir), ...config.capacity ?? defaultCapacity() },
    pids: await readMaxPids(),
    labels: config.labels,
    runtimes: machine.runtimes,
    policy: nodePolicy(config),
    cpus: await readCpus(),
    hugepageSizes: { bytes: machine.cgroups.limitablePageSizes },
    architecture: goArchitecture(),
    metricsAddress: reachableAddress(config.metricsListen, machine.underlayAddress),
    snapshotter: machine.snapshots.driver,
    capabilities: CAPABILITIES,
  };
}

function nodePolicy({ bindPrefixes, devicePaths, deviceUnits, allowsPrivileged }: AgentConfig): NodePolicy {
  const names = [...deviceUnits.keys()].map(deviceNameOf);
  const devices = [...new Set(names)].sort().map(name => ({ name, count: names.filter(one => one === name).length }));
  return { bindPrefixes, devicePaths, devices, allowsPrivileged };
}
