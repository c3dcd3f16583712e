import { readFileSync } from 'node:fs';
import test from 'ava';
import { CONTROLLER_OPTIONS } from '../../../controller/config.ts';
import { CONTROLLER_METRICS } from '../../../controller/metrics.ts';

const readme = readFileSync(new URL('../../../controller/README.md', import.meta.url), 'utf8');

/** Rows of the table under the heading. */
function rowsUnder(heading: string): readonly string[] {
  const section = readme.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return section.split('\n').filter(line => line.startsWith('| `'));
}

test("the README's options are those of the code", t => {
  const rows = Object.entries<{ readonly value?: string; readonly fallback?: string; readonly meaning: string }>(CONTROLLER_OPTIONS)
    .map(([name, { value, fallback, meaning }]) => `| \`--${name}${value === undefined ? '' : ` ${value}`}\` | ${fallback ?? ''} | ${meaning} |`);
  t.deepEqual(rowsUnder('Options'), rows);
});

test("the README's metrics are those of the code", t => {
  t.deepEqual(rowsUnder('Metrics'), Object.entries(CONTROLLER_METRICS).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`));
});
