/** What must hold of a node that a plan is to count with. */
import type { AddedNode } from '#model/cluster-plan.ts';
import { isDeviceName, MAX_DEVICE_UNITS } from '#model/device-rules.ts';
import type { Violation } from '#model/errors.ts';
import { isLabel } from '#model/ids.ts';
import { quoted } from '#model/printable.ts';
import { labelNameProblem, labelValueProblem } from './node-label-rules.ts';

export function checkAddedNode({ name, capacity, devices, labels, taints }: AddedNode): readonly Violation[] {
  const path = `added_nodes.${name}`;
  const { milliCpu, memoryBytes, diskBytes = 1, pids = 1 } = capacity;
  const isWhole = [milliCpu, memoryBytes, diskBytes, pids].every(value => Number.isSafeInteger(value) && value > 0);
  return [
    ...(isWhole ? [] : [{ path: `${path}.capacity`, message: 'cpu, memory, disk and pids must be more than nothing' }]),
    ...devices.filter(device => !isDeviceName(device.name) || !(device.count >= 1 && device.count <= MAX_DEVICE_UNITS))
      .map(device => ({ path: `${path}.devices`, message: `${quoted(device.name)}: a device is named like nvidia.com/gpu and has 1 to ${String(MAX_DEVICE_UNITS)} units` })),
    ...taints.filter(taint => !isLabel(taint)).map(taint => ({ path: `${path}.taints`, message: `${quoted(taint)} is not an RFC 1123 label` })),
    ...[...labels].flatMap(([label, value]) => labelNameProblem(label) ?? labelValueProblem(label, value) ?? []).map(message => ({ path: `${path}.labels`, message })),
  ];
}
