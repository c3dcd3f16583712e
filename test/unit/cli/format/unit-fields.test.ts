import test from 'ava';
import { unitChange, unitName, unitPath, unitText } from '../../../../cli/format/unit-fields.ts';

test('amounts are shown with their units, under the names of the manifest', t => {
  t.deepEqual([unitName('memoryBytes'), unitText('memoryBytes', 33_554_432)], ['memory', '32Mi']);
  t.deepEqual([unitName('milliCpu'), unitText('milliCpu', 20)], ['cpus', '20m']);
  t.deepEqual([unitName('delayMs'), unitText('delayMs', 90_000)], ['delay', '1m30s']);
  t.deepEqual([unitName('pids'), unitText('pids', 512)], ['pids', undefined]);
  t.deepEqual([unitName('createdAtMs'), unitText('createdAtMs', 1)], ['createdAtMs', undefined]);
});
test('a change keeps its digits where the units would hide it', t => {
  t.is(unitPath('limits.memoryBytes'), 'limits.memory');
  t.deepEqual(unitChange('limits.memoryBytes', ['50331648', '33554432']), ['48Mi', '32Mi']);
  t.deepEqual(unitChange('limits.memoryBytes', ['50331649', '50331650']), ['50331649', '50331650']);
  t.deepEqual(unitChange('replicas', ['2', '4']), ['2', '4']);
});
