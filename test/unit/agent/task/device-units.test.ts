import test from 'ava';
import { DeviceUnits, deviceNameOf } from '../../../../agent/task/device-units.ts';
import { taskId } from '../../../support/builders.ts';

const UNITS = ['gpu#0', 'gpu#1', 'fpga#0'];
const [A, B] = [taskId('a'), taskId('b')];

test('each unit is one task\'s, in the order declared', t => {
  const units = new DeviceUnits(UNITS);
  t.deepEqual(units.take(A, [{ name: 'gpu', count: 1 }]), ['gpu#0']);
  t.deepEqual(units.take(A, [{ name: 'gpu', count: 1 }]), ['gpu#0'], 'the next attempt has the same');
  t.deepEqual(units.take(B, [{ name: 'fpga', count: 1 }, { name: 'gpu', count: 1 }]), ['fpga#0', 'gpu#1']);
  t.throws(() => units.take(taskId('c'), [{ name: 'gpu', count: 1 }]), { code: 'RESOURCE_EXHAUSTED', message: /1 of device gpu are needed, 0 are free/ });
  units.release(A);
  t.deepEqual(units.take(taskId('c'), [{ name: 'gpu', count: 1 }]), ['gpu#0']);
});
test('a refusal takes nothing', t => {
  const units = new DeviceUnits(UNITS);
  t.throws(() => units.take(A, [{ name: 'fpga', count: 1 }, { name: 'gpu', count: 3 }]));
  t.deepEqual(units.take(B, [{ name: 'fpga', count: 1 }]), ['fpga#0']);
});
test('what a record says is held', t => {
  const units = new DeviceUnits(UNITS);
  units.adopt(A, ['gpu#0']);
  t.deepEqual(units.take(B, [{ name: 'gpu', count: 1 }]), ['gpu#1']);
  t.deepEqual(units.take(A, [{ name: 'gpu', count: 1 }]), ['gpu#0']);
});
test('nothing asked, nothing held', t => {
  t.deepEqual(new DeviceUnits([]).take(A, []), []);
  t.is(deviceNameOf('nvidia.com/gpu#12'), 'nvidia.com/gpu');
});
