import test from 'ava';
import { circleOf } from '#model/affinity-rules.ts';
import { manifest, violationsOf } from '../../../support/manifest.ts';

const told = test.macro({
  exec(t, services: Readonly<Record<string, object>>, expected: readonly string[]) {
    const all = Object.fromEntries(Object.entries(services).map(([name, keys]) => [name, { image: 'x', ...keys }]));
    t.deepEqual(violationsOf(manifest({}, { services: all })).map(one => `${one.path} ${one.message.split(';')[0] ?? ''}`), expected);
  },
  title: (name = '') => `affinity: ${name}`,
});
const near = (...affinity: readonly unknown[]): object => ({ placement: { affinity } });
test('two that must be near each other', told, { a: near('b'), b: near('a') }, ['services.a.placement.affinity[0] cycle: a -> b -> a']);
test('three, told once, by their APP/NAME too', told, { c: near('a'), a: near({ service: 'x/y' }, 'shop/b'), b: near('c') }, ['services.a.placement.affinity[1] cycle: a -> b -> c -> a']);
test('near what waits for it', told, { a: near('b'), b: { depends_on: ['a'] } }, ['services.a.placement.affinity[0] cycle: a -> b -> a']);
test('a wish is no circle', told, { a: near('b'), b: near({ service: 'a', weight: 5 }) }, []);
test('a diamond is no circle', told, { a: near('b', 'c'), b: near('d'), c: near('d'), d: {} }, []);
test('beside a circle of others', told, { a: near('b'), b: near('c'), c: near('b') }, ['services.b.placement.affinity[0] cycle: b -> c -> b']);

test('the shortest way back', t => {
  const ways: Readonly<Record<string, readonly string[]>> = { a: ['b'], b: ['c', 'd'], c: ['a'], d: ['c'] };
  t.deepEqual(circleOf('a', 'b', name => ways[name] ?? []), ['a', 'b', 'c', 'a']);
  t.is(circleOf('e', 'a', name => ways[name] ?? []), undefined);
});
