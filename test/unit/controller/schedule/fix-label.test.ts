import test from 'ava';
import { parsePlacementRule } from '#model/constraint.ts';
import type { PlacementRule } from '#model/service.ts';
import { labelChange, withLabels } from '../../../../controller/schedule/fix-label.ts';

function rule(text: string): PlacementRule {
  const parsed = parsePlacementRule(text);
  if (parsed.kind === 'error') throw new Error(parsed.message);
  return parsed.rule;
}

const changes = test.macro({
  exec(t, labels: Record<string, string>, texts: readonly string[], expected: Record<string, string | undefined> | undefined) {
    const change = labelChange(new Map(Object.entries(labels)), texts.map(rule));
    t.deepEqual(change === undefined ? undefined : Object.fromEntries(change), expected);
  },
  title: (name = '') => `labelChange: ${name}`,
});
test('what holds stays', changes, { zone: 'a' }, ['zone == a', 'disk not-exists'], {});
test('equal, one of, there, more, less', changes, {}, ['zone == a', 'disk in (ssd, hdd)', 'tier exists', 'rack > 3', 'row < 2'], { zone: 'a', disk: 'ssd', tier: 'true', rack: '4', row: '1' });
test('a label goes where that is what holds', changes, { zone: 'b', disk: 'ssd' }, ['zone != b', 'disk not-exists'], { zone: undefined, disk: undefined });
test('rules of one label hold together', changes, { zone: 'z' }, ['zone in (a, b)', 'zone != a'], { zone: 'b' });
test('no value does', changes, {}, ['zone == a', 'zone == b'], undefined);

test('the labels with the change', t => {
  t.deepEqual([...withLabels(new Map([['a', '1'], ['b', '2']]), new Map([['a', undefined], ['c', '3']]))], [['b', '2'], ['c', '3']]);
});
