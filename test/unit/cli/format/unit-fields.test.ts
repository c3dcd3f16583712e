import test from 'ava';
import { unitChange, unitField } from '../../../../cli/format/unit-fields.ts';

test('amounts are shown with their units, under the names of the manifest', t => {
  t.deepEqual(unitField('memoryBytes', 33_554_432), { name: 'memory', text: '32Mi' });
  t.deepEqual(unitField('milliCpu', 20), { name: 'cpus', text: '20m' });
  t.deepEqual(unitField('delayMs', 90_000), { name: 'delay', text: '1m30s' });
  t.is(unitField('pids', 512), undefined);
  t.is(unitField('createdAtMs', 1), undefined);
});
test('a label that is named so is none', t => {
  t.is(unitField('cacheBytes', '32'), undefined);
  t.deepEqual(unitChange('environment[cacheBytes].value', ['1024', '2048']), { path: 'environment[cacheBytes].value', values: ['1024', '2048'] });
});
test('a change keeps its digits where the units would hide it', t => {
  t.deepEqual(unitChange('limits.memoryBytes', ['50331648', '33554432']), { path: 'limits.memory', values: ['48Mi', '32Mi'] });
  t.deepEqual(unitChange('limits.memoryBytes', ['50331649', '50331650']).values, ['50331649', '50331650']);
  t.deepEqual(unitChange('replicas', ['2', '4']), { path: 'replicas', values: ['2', '4'] });
});
