import test from 'ava';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { VERSION, VERSION_LINE } from '../../../cli/version.ts';

test('the version is that of the package, and stands in the line of --version', t => {
  const { version } = JSON.parse(readFileSync(path.join(import.meta.dirname, '../../../package.json'), 'utf8')) as { readonly version: string };
  t.is(VERSION, version);
  t.is(VERSION_LINE, `clusterctl (Gantry) ${version}`);
});
