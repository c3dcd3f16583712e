import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const CLI = path.join(import.meta.dirname, '../../../cli');

test('clusterctl loads no package by import(): in the bundle that has no named exports', t => {
  const files = readdirSync(CLI, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'));
  t.true(files.length > 100);
  const loads = files.flatMap(file => [...readFileSync(path.join(CLI, file), 'utf8').matchAll(/\bimport\('([^']+)'\)/g)].map(([, what = '']) => `${file}: ${what}`));
  t.true(loads.length > 50);
  t.deepEqual(loads.filter(load => !/: (?:\.|#|node:)/.test(load)), []);
});
