import test from 'ava';
import { scanTokens } from '../../../cli/yaml-scan.ts';

test('100 levels are fine, whatever their style', t => {
  t.is(scanTokens('['.repeat(99) + ']'.repeat(99)), undefined);
  t.is(scanTokens(Array.from({ length: 99 }, (_, index) => `${' '.repeat(index)}a:\n`).join('')), undefined);
});

test('deeper ones are not', t => {
  t.is(scanTokens('['.repeat(20_000)), 'too-deep');
  t.is(scanTokens('{a: '.repeat(200)), 'too-deep');
  t.is(scanTokens('- '.repeat(200)), 'too-deep');
  t.is(scanTokens('? '.repeat(200)), 'too-deep');
  t.is(scanTokens(Array.from({ length: 200 }, (_, index) => `${' '.repeat(index)}a:\n`).join('')), 'too-deep');
});

test('long but flat text is not deep', t => {
  t.is(scanTokens(Array.from({ length: 5_000 }, (_, index) => `k${String(index)}: { a: [1, 2] }\n`).join('')), undefined);
});

test('1000 aliases a document, not more', t => {
  const aliases = (count: number): string => `a: &a 1\nb: [${'*a,'.repeat(count)}]\n`;
  t.is(scanTokens(aliases(1_000)), undefined);
  t.is(scanTokens(aliases(1_001)), 'too-many-aliases');
  t.is(scanTokens(`${aliases(600)}---\n${aliases(600)}`), undefined);
});
