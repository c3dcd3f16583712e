import test from 'ava';
import { containerMounts, deviceRules, maskedPaths, namespaces, readOnlyPaths } from '../../../../agent/runtime/oci-isolation.ts';
import type { HostNamespace, SecuritySpec } from '#model/service.ts';
import { containerSpec } from '../../../support/container-task.ts';

const security = (change: Partial<SecuritySpec> = {}): SecuritySpec => ({ ...containerSpec().security, ...change });
const PATHS = { user: '/slot/user', network: '/slot/net' };
const typesOf = (...hostNamespaces: readonly HostNamespace[]): readonly string[] => namespaces(security({ hostNamespaces }), PATHS).map(({ type }) => type);

test('every namespace is its own by default, two of them the slot\'s', t => {
  t.deepEqual(namespaces(security(), PATHS), [
    { type: 'user', path: '/slot/user' }, { type: 'network', path: '/slot/net' }, { type: 'pid' }, { type: 'ipc' }, { type: 'mount' }, { type: 'uts' }, { type: 'cgroup' },
  ]);
});
test('one that is the machine\'s is left out; the mounts never are', t => {
  t.deepEqual(typesOf('userns', 'pid', 'ipc', 'uts', 'cgroup', 'network'), ['mount']);
  t.deepEqual(typesOf('network'), ['user', 'pid', 'ipc', 'mount', 'uts', 'cgroup']);
});
test('one of another container is joined by its file', t => {
  const joined = namespaces(security(), { ...PATHS, pid: '/proc/7/ns/pid', uts: '/proc/7/ns/uts' });
  t.deepEqual(joined.filter(({ path }) => path?.startsWith('/proc')), [{ type: 'pid', path: '/proc/7/ns/pid' }, { type: 'uts', path: '/proc/7/ns/uts' }]);
});
test('/proc and /sys are masked and read-only, but for every capability in privileged', t => {
  t.true(maskedPaths(security()).includes('/proc/kcore') && readOnlyPaths(security()).includes('/proc/sys'));
  t.true(maskedPaths(security({ profile: 'privileged' })).length > 0);
  t.deepEqual([maskedPaths(security({ profile: 'privileged', capAdd: ['ALL'] })), readOnlyPaths(security({ profile: 'privileged', capAdd: ['ALL'] }))], [[], []]);
  t.true(maskedPaths(security({ profile: 'baseline', capAdd: ['ALL'] })).length > 0);
});
test('restricted has a small /tmp, unless something is there', t => {
  const tmp = (targets: readonly string[]): readonly string[] => containerMounts(containerSpec({ security: security({ profile: 'restricted' }) }), targets).filter(mount => mount.destination === '/tmp').flatMap(mount => mount.options);
  t.true(['nosuid', 'nodev', 'noexec', 'size=67108864'].every(option => tmp([]).includes(option)));
  t.deepEqual(tmp(['/tmp']), []);
});
test('device rules: nothing, then its own, then what it was given', t => {
  const rules = deviceRules([{ path: '/dev/x', source: '/dev/fuse', type: 'c', major: 10, minor: 229, access: 'rw' }]);
  t.deepEqual(rules[0], { allow: false, access: 'rwm' });
  t.deepEqual(rules.at(-1), { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' });
  t.is(rules.length, 10);
});
