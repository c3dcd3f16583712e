/** The scheduler on a stream of GPU requests, as a controller uses it: one request at a time, by the table that it keeps. */
import { PaperCluster } from '../../controller/reconcile/paper-cluster.ts';
import { KeptTable } from '../../controller/schedule/kept-table.ts';
import { schedule } from '../../controller/schedule/schedule.ts';
import type { Service } from '#model/app.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import type { Node } from '#model/node.ts';
import { app, node, resources, service, snapshot, task, taskId } from './builders.ts';
import type { GpuMachine, GpuRequest } from './gpu-trace.ts';

interface GpuPlacing {
  readonly placed: number;
  readonly idleGpus: number;
  /** Processor time of the scheduler alone. */
  readonly milliseconds: number;
}

export function placeGpuRequests(machines: readonly GpuMachine[], requests: readonly GpuRequest[]): GpuPlacing {
  return placeOneByOne(machines.map(nodeOf), requests.map(serviceOf));
}

function placeOneByOne(nodes: readonly Node[], services: readonly Service[]): GpuPlacing {
  const paper = new PaperCluster(snapshot({ nodes }));
  const kept = new KeptTable();
  kept.at(paper.snapshot);
  let [placed, milliseconds, given] = [0, 0, 0];
  for (const [index, of] of services.entries()) {
    kept.touch(paper.putApp(app(of.app), [of]));
    const started = process.cpuUsage();
    const { placements: [placement] } = schedule(paper.snapshot, [{ service: of, slots: [{ slot: 0 }] }], kept.at(paper.snapshot));
    const { user, system } = process.cpuUsage(started);
    milliseconds += (user + system) / 1_000;
    if (placement !== undefined) {
      const { node: on, deviceUnits } = placement;
      kept.touch(paper.apply({ kind: 'create-task', task: task(of, on, { id: taskId(letters(index)), ...(deviceUnits === undefined ? {} : { deviceUnits }) }), reason: '' }));
      placed += 1;
      given += of.spec.container.deviceRequests.reduce((sum, { count, milli = 1_000 }) => sum + count * milli, 0);
    }
  }
  const all = nodes.reduce((sum, { policy }) => sum + policy.devices.reduce((own, { count }) => own + count, 0), 0);
  return { placed, milliseconds, idleGpus: all - given / 1_000 };
}

function nodeOf({ milliCpu, memoryMib, gpus }: GpuMachine, index: number): Node {
  return node(`n${String(index).padStart(5, '0')}`, { capacity: resources(milliCpu, memoryMib), policy: { ...CLOSED_NODE_POLICY, devices: gpus === 0 ? [] : [{ name: 'gpu', count: gpus }] } });
}

function serviceOf({ milliCpu, memoryMib, gpus, milli }: GpuRequest, index: number): Service {
  return service({
    name: 'gpu', app: `a${String(index)}`, replicas: 1, placement: { policy: 'binpack' },
    container: { requests: resources(milliCpu, memoryMib), deviceRequests: gpus === 0 ? [] : [{ name: 'gpu', count: gpus, ...(milli === 1_000 ? {} : { milli }) }] },
  });
}

function letters(value: number): string {
  return Array.from(String(value), digit => String.fromCharCode(97 + Number(digit))).join('').padStart(8, 'a');
}
