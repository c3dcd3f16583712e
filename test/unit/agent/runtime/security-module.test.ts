import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { appArmorProfile, NO_SECURITY_MODULES, securityModuleLabels } from '../../../../agent/runtime/security-module.ts';

const CONTAINER = { taskId: 'abcdefghijkl', isUnconfined: false };
const OPEN = { ...CONTAINER, isUnconfined: true };

test('a machine without a module: no label', t => {
  t.deepEqual(securityModuleLabels(NO_SECURITY_MODULES, CONTAINER), {});
  t.deepEqual(securityModuleLabels(NO_SECURITY_MODULES, OPEN), {});
});
test('AppArmor: our profile, else docker\'s, else none; unconfined where asked', t => {
  const modules = (appArmorProfiles: readonly string[]) => ({ isSelinuxOn: false, appArmorProfiles });
  t.deepEqual(securityModuleLabels(modules(['docker-default', 'gantry-default']), CONTAINER), { apparmorProfile: 'gantry-default' });
  t.is(appArmorProfile(modules(['docker-default'])), 'docker-default');
  t.deepEqual(securityModuleLabels(modules(['sshd']), CONTAINER), {});
  t.deepEqual(securityModuleLabels(modules(['gantry-default']), OPEN), { apparmorProfile: 'unconfined' });
});
test('SELinux: two categories that are the task\'s own and stay', t => {
  const labels = securityModuleLabels({ isSelinuxOn: true }, CONTAINER);
  const [, level = ''] = /^system_u:system_r:container_t:(s0:c\d+,c\d+)$/.exec(labels.selinuxLabel ?? '') ?? [];
  t.is(labels.mountLabel, `system_u:object_r:container_file_t:${level}`);
  t.deepEqual(securityModuleLabels({ isSelinuxOn: true }, CONTAINER), labels);
  t.notDeepEqual(securityModuleLabels({ isSelinuxOn: true }, { ...CONTAINER, taskId: 'abcdefghijkm' }), labels);
  t.deepEqual(securityModuleLabels({ isSelinuxOn: true }, OPEN), { selinuxLabel: 'system_u:system_r:spc_t:s0' });
  for (const taskId of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
    const [low = 0, high = 0] = (/c(\d+),c(\d+)$/.exec(securityModuleLabels({ isSelinuxOn: true }, { ...CONTAINER, taskId }).selinuxLabel ?? '') ?? []).slice(1).map(Number);
    t.true(low < high && high < 1024);
  }
});
test('the profile that the agent names is shipped, under the name that it looks for', t => {
  const text = readFileSync(path.resolve(import.meta.dirname, '../../../../deploy/apparmor/gantry-default'), 'utf8');
  const [, name = ''] = /^profile (\S+) flags=/m.exec(text) ?? [];
  t.is(appArmorProfile({ isSelinuxOn: false, appArmorProfiles: [name] }), 'gantry-default');
});
