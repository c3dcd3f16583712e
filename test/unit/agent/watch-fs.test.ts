import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { watchIfPossible } from '../../../agent/watch-fs.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
/** A container that ends, and a log that grows, after both are looked at. */
const SCRIPT = `
  import { appendFileSync, writeFileSync } from 'node:fs';
  import { containerEnds } from '${ROOT}/agent/runtime/container-ends-flow.ts';
  import { readLog } from '${ROOT}/agent/logs/log-fs.ts';
  import { systemClock } from '${ROOT}/proto/kit/clock.ts';
  const [directory] = process.argv.slice(1);
  const over = new AbortController();
  const listed = [];
  const ends = containerEnds({ exitDir: directory, clock: systemClock, list: () => listed, endOf: () => Promise.resolve({ code: 0, isOomKilled: false, finishedAtMs: 0 }) }, over.signal);
  const end = ends.next();
  const log = directory + '/log';
  writeFileSync(log, '2026-01-01T00:00:00.000000000+00:00 stdout F one\\n');
  const records = readLog(log, { follow: true }, { clock: systemClock, ended: new AbortController().signal }, over.signal);
  const first = await records.next();
  listed.push('gantry-a');
  appendFileSync(log, '2026-01-01T00:00:01.000000000+00:00 stdout F two\\n');
  const second = await records.next();
  console.log([(await end).value.id, ...[first, second].map(({ value }) => Buffer.from(value[0].bytes).toString().trim())].join(' '));
  process.exit(0);
`;

const asRoot = process.getuid?.() === 0 ? test : test.skip;

asRoot('needs root: without an inotify instance ends and log lines are seen by the looks now and then', t => {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-watch-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  const program = 'echo 0 >/proc/sys/user/max_inotify_instances; exec "$@"';
  const output = execFileSync('unshare', ['-Ur', 'sh', '-c', program, 'sh', process.execPath, '--input-type=module', '-e', SCRIPT, directory], { encoding: 'utf8', timeout: 60_000 });
  t.is(output, 'gantry-a one two\n');
});

test('a directory that is not there is an error', t => {
  t.throws(() => watchIfPossible('/no/such/directory', () => undefined), { code: 'ENOENT' });
});
