import test from 'ava';
import { chooseDriver } from '../../../../agent/snapshot/driver-choice.ts';
import type { SnapshotterSetting } from '../../../../agent/snapshot/driver-choice.ts';
import type { SnapshotDriver } from '../../../../agent/snapshot/ports.ts';

const chooses = test.macro({
  exec(t, setting: SnapshotterSetting, problems: Partial<Record<SnapshotDriver, string>>, driver: SnapshotDriver, why: string) {
    t.deepEqual(chooseDriver(setting, new Map(Object.entries(problems) as [SnapshotDriver, string][])), { driver, why });
  },
  title: (name = '') => `chooseDriver: ${name}`,
});
test('overlay where it works', chooses, 'auto', { btrfs: 'ENOTTY' }, 'overlay', 'the first that works here');
test('btrfs where overlay does not', chooses, 'auto', { overlay: 'EINVAL' }, 'btrfs', 'the first that works here (overlay: EINVAL)');
test('vfs where nothing else does', chooses, 'auto', { overlay: 'EINVAL', btrfs: 'ENOTTY' }, 'vfs', 'the first that works here (overlay: EINVAL; btrfs: ENOTTY)');
test('the configured one, though overlay works', chooses, 'vfs', {}, 'vfs', 'as configured');
test('a configured one that does not work is refused with the reason', t => {
  t.throws(() => chooseDriver('btrfs', new Map([['btrfs', 'ENOTTY']])), { code: 'FAILED_PRECONDITION', message: 'no snapshot driver works here (btrfs: ENOTTY)' });
});
