/**
 * Container tests need root and, where the machine mounts a hybrid of cgroup versions, a mount namespace without the `unified` mount:
 * crun refuses the hybrid otherwise. A test file that needs this runs itself again inside one.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'ava';
import { COVER_UNIFIED_GROUPS } from '../../cli/dev/hub-network-process.ts';

const MARK = 'GANTRY_TEST_PRIVATE_MOUNTS';
/** Of the whole file; and, shorter, of one test in it without an end, so that the test is named. */
const FILE_LIMIT_MS = 900_000;
const TEST_LIMIT = '4m';
/** As ava's default reporter tells a test that passed; all else it tells is about what did not. */
const PASSED = /^ {2}✔ .*\n/gm;

/** True inside; outside, registers one test that runs the file inside and passes when all of its tests did. */
export function insidePrivateMounts(testFile: string): boolean {
  const isHybrid = readFileSync('/proc/self/mountinfo', 'utf8').includes(' /sys/fs/cgroup/unified ');
  if (process.env[MARK] === '1' || (!isHybrid && process.getuid?.() === 0)) {
    return true;
  }
  test('needs root: this file\'s tests, in a private mount namespace', async t => {
    t.timeout(FILE_LIMIT_MS);
    const script = `mount --make-rprivate / && ${COVER_UNIFIED_GROUPS}; exec "$@"`;
    const inner = spawn('unshare', ['-m', 'sh', '-c', script, 'sh', process.execPath, 'node_modules/.bin/ava', `--timeout=${TEST_LIMIT}`, testFile], {
      env: { ...process.env, [MARK]: '1' }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    inner.stdout.setEncoding('utf8').on('data', (text: string) => { output += text; });
    inner.stderr.setEncoding('utf8').on('data', (text: string) => { output += text; });
    const code = await new Promise<number | null>(resolve => { inner.on('close', resolve); });
    t.is(code, 0, output.replaceAll(PASSED, ''));
  });
  return false;
}
