/**
 * A trace of machines and pods in the public openb format as nodes and services.
 *
 * Source: alibaba/clusterdata, cluster-trace-gpu-v2023, README.md: `sn,cpu_milli,memory_mib,gpu,model` and
 * `name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,...`; `gpu_spec` names models apart by `|`, empty: any.
 */
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import type { Node } from '#model/node.ts';
import { node, resources, service } from '../support/builders.ts';
import type { Placed } from '../support/placement-checker.ts';
import type { PendingService } from '../../controller/schedule/schedule.ts';
import { pendingOf } from './schedule-load.ts';
import { rounded } from './report.ts';

const GPU = 'gpu';
const WHOLE = 1_000;

export interface Trace {
  readonly nodes: readonly Node[];
  readonly pending: readonly PendingService[];
}

/** @throws Error that names the file's line */
export function readTrace(nodesCsv: string, podsCsv: string): Trace {
  const nodes = readRows('nodes', nodesCsv, ['sn', 'cpu_milli', 'memory_mib', 'gpu']).map(({ text, number }) => {
    const [count, model] = [number('gpu'), text('model')];
    return node(labelOf(text('sn')), {
      capacity: resources(number('cpu_milli'), number('memory_mib')), labels: model === '' ? {} : { 'gpu-model': model },
      policy: { ...CLOSED_NODE_POLICY, devices: count === 0 ? [] : [{ name: GPU, count }] },
    });
  });
  const pending = readRows('pods', podsCsv, ['name', 'cpu_milli', 'memory_mib', 'num_gpu', 'gpu_milli']).map(({ text, number }) => {
    const [count, milli, models] = [number('num_gpu'), number('gpu_milli'), text('gpu_spec').split('|').filter(model => model !== '')];
    return pendingOf(service({
      name: labelOf(text('name')), replicas: 1,
      container: {
        requests: resources(number('cpu_milli'), number('memory_mib')),
        deviceRequests: count === 0 ? [] : [{ name: GPU, count, ...(milli > 0 && milli < WHOLE ? { milli } : {}) }],
      },
      placement: { policy: 'binpack', require: models.length === 0 ? [] : [{ label: 'gpu-model', operator: 'in', values: models }] },
    }), 1);
  });
  return { nodes, pending };
}

/** What of the nodes is given away. */
export function traceFigures(nodes: readonly Node[], placed: readonly Placed[]): Readonly<Record<string, number>> {
  const sum = <T>(list: readonly T[], of: (one: T) => number): number => list.reduce((total, one) => total + of(one), 0);
  const gpus = sum(nodes, one => sum(one.policy.devices, device => device.count));
  const gpusGiven = sum(placed, ({ service: { spec } }) => sum(spec.container.deviceRequests, one => one.count * (one.milli ?? WHOLE) / WHOLE));
  return {
    placed: placed.length,
    cpuShare: rounded(sum(placed, ({ service: { spec } }) => spec.container.requests.milliCpu) / sum(nodes, one => one.capacity.milliCpu)),
    memoryShare: rounded(sum(placed, ({ service: { spec } }) => spec.container.requests.memoryBytes) / sum(nodes, one => one.capacity.memoryBytes)),
    gpus, gpuShare: gpus === 0 ? 0 : rounded(gpusGiven / gpus), unallocatedGpus: rounded(gpus - gpusGiven),
  };
}

interface Row {
  readonly text: (column: string) => string;
  readonly number: (column: string) => number;
}

function readRows(what: string, csv: string, needed: readonly string[]): readonly Row[] {
  const [head = '', ...lines] = csv.trim().split(/\r?\n/);
  const columns = head.split(',');
  const missing = needed.find(name => !columns.includes(name));
  if (missing !== undefined) {
    throw new Error(`${what}: the first line has no column ${missing}`);
  }
  return lines.map((line, index) => {
    const cells = line.split(',');
    const text = (column: string): string => cells[columns.indexOf(column)] ?? '';
    const number = (column: string): number => {
      const value = Number(text(column) === '' ? '0' : text(column));
      if (!Number.isFinite(value) || value < 0) {
        throw new Error(`${what}, line ${String(index + 2)}: ${column} is ${text(column)}, a number is expected`);
      }
      return value;
    };
    return { text, number };
  });
}

/** Names of the trace are letters, digits and dashes; others become dashes. */
function labelOf(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-');
}
