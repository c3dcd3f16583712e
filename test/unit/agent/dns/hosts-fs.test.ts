import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { HostsDirectory } from '../../../../agent/dns/hosts-fs.ts';

test('the directory equals what is wanted; what another agent left half-written goes', t => {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-hosts-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  const filesIn = (folder: string): readonly string[] => readdirSync(path.join(directory, folder)).sort();
  const before = new HostsDirectory(directory);
  before.create();
  before.apply(new Map([['a', '1\n'], ['b', '2\n']]));
  writeFileSync(path.join(directory, 'staging/c'), 'hal');
  const next = new HostsDirectory(directory);
  next.create();
  next.apply(new Map([['b', '3\n'], ['d', '4\n']]));
  t.deepEqual(filesIn('hosts'), ['b', 'd']);
  t.is(readFileSync(path.join(directory, 'hosts/b'), 'utf8'), '3\n');
  t.deepEqual(filesIn('staging'), []);
});
