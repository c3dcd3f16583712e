import test from 'ava';
import { DeviceDemand } from '../../../../controller/schedule/device-demand.ts';
import { resources, service } from '../../../support/builders.ts';

const ask = (name: string, milli: number, replicas: number, milliCpu: number) =>
  service({ name, replicas, container: { requests: resources(milliCpu, 1), deviceRequests: [{ name: 'gpu', count: 1, milli }] } });

test('classes are shares in eighths with the means of their tasks, and forget a service that is gone', t => {
  const demand = new DeviceDemand();
  const [one, two] = [ask('one', 450, 1, 1_000), ask('two', 500, 3, 2_000)];
  demand.set(one.id, one);
  demand.set(two.id, two);
  demand.set(two.id, two);
  t.like(demand.classes, [{ device: 'gpu', count: 1, milli: 500, milliCpu: 1_750, weight: 1 }]);
  demand.set(two.id, undefined);
  t.like(demand.classes, [{ milliCpu: 1_000 }]);
  demand.set(one.id, service({ name: 'one' }));
  t.deepEqual(demand.classes, []);
});
