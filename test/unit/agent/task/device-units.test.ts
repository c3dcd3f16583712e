import test from 'ava';
import type { DeviceCount } from '../../../../proto/model/service.ts';
import type { DeviceUnits as Chosen } from '../../../../proto/model/task.ts';
import { DeviceUnits, deviceNameOf } from '../../../../agent/task/device-units.ts';
import { taskId } from '../../../support/builders.ts';

const UNITS = ['gpu#0', 'gpu#1', 'fpga#0'];
const A = taskId('a');

function task(id: string, deviceRequests: readonly DeviceCount[], deviceUnits?: readonly Chosen[]) {
  return { id: taskId(id), container: { deviceRequests }, ...(deviceUnits === undefined ? {} : { deviceUnits }) };
}

test('each unit is one task\'s, in the order declared', t => {
  const units = new DeviceUnits(UNITS);
  t.deepEqual(units.take(task('a', [{ name: 'gpu', count: 1 }])), ['gpu#0']);
  t.deepEqual(units.take(task('a', [{ name: 'gpu', count: 1 }])), ['gpu#0'], 'the next attempt has the same');
  t.deepEqual(units.take(task('b', [{ name: 'fpga', count: 1 }, { name: 'gpu', count: 1 }])), ['fpga#0', 'gpu#1']);
  t.throws(() => units.take(task('c', [{ name: 'gpu', count: 1 }])), { code: 'RESOURCE_EXHAUSTED', message: /1 of device gpu are needed, 0 are free/ });
  units.release(A);
  t.deepEqual(units.take(task('c', [{ name: 'gpu', count: 1 }])), ['gpu#0']);
});
test('a refusal takes nothing', t => {
  const units = new DeviceUnits(UNITS);
  t.throws(() => units.take(task('a', [{ name: 'fpga', count: 1 }, { name: 'gpu', count: 3 }])));
  t.deepEqual(units.take(task('b', [{ name: 'fpga', count: 1 }])), ['fpga#0']);
});
test('what a record says is held', t => {
  const units = new DeviceUnits(UNITS);
  units.adopt(task('a', [{ name: 'gpu', count: 1 }]), ['gpu#0']);
  t.deepEqual(units.take(task('b', [{ name: 'gpu', count: 1 }])), ['gpu#1']);
  t.deepEqual(units.take(task('a', [{ name: 'gpu', count: 1 }])), ['gpu#0']);
});
test('nothing asked, nothing held', t => {
  t.deepEqual(new DeviceUnits([]).take(task('a', [])), []);
  t.is(deviceNameOf('nvidia.com/gpu#12'), 'nvidia.com/gpu');
});
test('shares of one unit are several tasks\', whole units stay whole', t => {
  const units = new DeviceUnits(UNITS);
  const half = [{ name: 'gpu', count: 1, milli: 500 }];
  t.deepEqual(units.take(task('a', half)), ['gpu#0']);
  t.deepEqual(units.take(task('b', half)), ['gpu#0'], 'the fullest that has it');
  t.deepEqual(units.take(task('c', [{ name: 'gpu', count: 1 }])), ['gpu#1']);
  t.throws(() => units.take(task('d', half)), { code: 'RESOURCE_EXHAUSTED', message: /^0.5 each of 1 of device gpu are needed, 0 are free/ });
  units.release(A);
  t.deepEqual(units.take(task('d', half)), ['gpu#0']);
});
test('what the scheduler chose is taken, unless somebody has it', t => {
  const units = new DeviceUnits(UNITS);
  const one = [{ name: 'gpu', count: 1 }];
  t.deepEqual(units.take(task('a', one, [{ name: 'gpu', units: [1] }])), ['gpu#1']);
  t.deepEqual(units.take(task('b', one, [{ name: 'gpu', units: [1] }])), ['gpu#0']);
});
test('a record of a share holds no more than the share', t => {
  const units = new DeviceUnits(UNITS);
  units.adopt(task('a', [{ name: 'gpu', count: 1, milli: 400 }]), ['gpu#0']);
  t.deepEqual(units.take(task('b', [{ name: 'gpu', count: 1, milli: 600 }])), ['gpu#0']);
  t.throws(() => units.take(task('c', [{ name: 'gpu', count: 2 }])), { code: 'RESOURCE_EXHAUSTED' });
});
