/**
 * Container tests need root and, where the machine mounts a hybrid of cgroup versions, a mount namespace without the `unified` mount:
 * crun refuses the hybrid otherwise. A test file that needs this runs itself again inside one.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'ava';

const MARK = 'GANTRY_TEST_PRIVATE_MOUNTS';

/** True inside; outside, registers one test that runs the file inside and passes when all of its tests did. */
export function insidePrivateMounts(testFile: string): boolean {
  const isHybrid = readFileSync('/proc/self/mountinfo', 'utf8').includes(' /sys/fs/cgroup/unified ');
  if (process.env[MARK] === '1' || (!isHybrid && process.getuid?.() === 0)) {
    return true;
  }
  test('needs root: this file\'s tests, in a private mount namespace', t => {
    t.timeout(300_000);
    const script = 'mount --make-rprivate / && umount /sys/fs/cgroup/unified; exec "$@"';
    const inner = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', process.execPath, 'node_modules/.bin/ava', '--tap', testFile], {
      env: { ...process.env, [MARK]: '1' }, encoding: 'utf8', timeout: 280_000,
    });
    t.log(inner.stdout);
    t.is(inner.status, 0, inner.stderr);
  });
  return false;
}
