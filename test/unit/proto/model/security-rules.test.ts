import test from 'ava';
import { BASELINE_CAPABILITIES, grantedCapabilities } from '#model/security-rules.ts';
import { HOST_NAMESPACES } from '#model/service.ts';
import type { SecuritySpec } from '#model/service.ts';
import { manifest, violationsOf } from '../../../support/manifest.ts';

const messagesOf = (security: object): readonly string[] => violationsOf(manifest({ security })).map(({ path, message }) => `${path}: ${message}`);

test('baseline adds only what it has', t => {
  t.deepEqual(messagesOf({ cap_add: ['NET_BIND_SERVICE', 'CHOWN'], cap_drop: ['ALL'] }), []);
  t.regex(messagesOf({ cap_add: ['SYS_ADMIN'] })[0] ?? '', /cap_add\[0\]: capability SYS_ADMIN is not allowed in profile 'baseline'/);
  t.regex(messagesOf({ cap_add: ['ALL'] })[0] ?? '', /not allowed/);
  t.regex(messagesOf({ cap_drop: ['FOO'] })[0] ?? '', /unknown capability 'FOO'/);
});

test('restricted wants a uid other than 0, a read-only root and one capability at most', t => {
  t.deepEqual(messagesOf({ profile: 'restricted', user: '1000:1000', cap_add: ['NET_BIND_SERVICE'] }), []);
  t.regex(messagesOf({ profile: 'restricted' })[0] ?? '', /security\.user: required/);
  for (const user of ['0', '00', 'app', '0:1000']) {
    t.regex(messagesOf({ profile: 'restricted', user })[0] ?? 'accepted', /uid other than 0/);
  }
  t.regex(messagesOf({ profile: 'restricted', user: '1', read_only: false })[0] ?? '', /read_only: must be true/);
  t.regex(messagesOf({ profile: 'restricted', user: '1', cap_add: ['CHOWN'] })[0] ?? '', /not allowed/);
});

test('a user is a name or an id of at most 2^31 - 1', t => {
  t.deepEqual(['root', '1000', 'www-data:www-data', '2147483647'].flatMap(user => messagesOf({ user })), []);
  for (const user of ['root;id', '2147483648', '4294967295', 'a b', '-1', ':5']) {
    t.is(messagesOf({ user }).length, 1, user);
  }
});

test('only privileged opens the machine', t => {
  t.deepEqual(messagesOf({ profile: 'privileged', userns: 'host', pid: 'host', network: 'host', seccomp: 'unconfined', no_new_privileges: false, cap_add: ['ALL'] }), []);
  t.deepEqual(messagesOf({ profile: 'privileged', cap_add: ['SYS_ADMIN', 'NET_ADMIN'], uts: 'host', cgroup: 'host' }), []);
  for (const key of HOST_NAMESPACES) {
    t.is(messagesOf({ [key]: 'host', ...(['pid', 'ipc', 'network'].includes(key) ? { userns: 'host' } : {}) })[0]?.includes('it takes profile privileged'), true, key);
  }
  t.regex(messagesOf({ no_new_privileges: false })[0] ?? '', /no_new_privileges: must be true in profile 'baseline'/);
  t.regex(messagesOf({ seccomp: 'unconfined' })[0] ?? '', /seccomp: must be default/);
});

test('what mounts a file system of a namespace needs the ids that own it', t => {
  for (const key of ['pid', 'ipc', 'network']) {
    t.regex(messagesOf({ profile: 'privileged', [key]: 'host' })[0] ?? '', /host needs userns: host too/, key);
  }
});

test('what the machine\'s namespaces decide cannot be asked for beside them', t => {
  const shared = (security: object, web: object): readonly string[] => violationsOf(manifest({ security: { profile: 'privileged', userns: 'host', ...security }, ...web })).map(({ path }) => path);
  t.deepEqual(shared({ network: 'host' }, { ports: ['80:80'] }), ['services.web.ports']);
  t.deepEqual(shared({ uts: 'host' }, { hostname: 'x' }), ['services.web.hostname']);
  t.deepEqual(shared({ network: 'host' }, { sysctls: { 'net.ipv4.ip_forward': '1' } }), ['services.web.sysctls']);
  t.deepEqual(shared({ ipc: 'host' }, { sysctls: { 'kernel.shmmax': '1' } }), ['services.web.sysctls']);
});

test('capabilities: the profile\'s, less the drops, with what is added', t => {
  const granted = (security: Partial<SecuritySpec>): readonly string[] =>
    grantedCapabilities({ profile: 'baseline', readOnly: false, capAdd: [], capDrop: [], hostNamespaces: [], mayGainPrivileges: false, isUnconfined: false, ...security });
  t.deepEqual(granted({}), [...BASELINE_CAPABILITIES].sort());
  t.deepEqual(granted({ capDrop: ['ALL'], capAdd: ['CHOWN'] }), ['CHOWN']);
  t.deepEqual(granted({ profile: 'restricted', capAdd: ['NET_BIND_SERVICE'] }), ['NET_BIND_SERVICE']);
  t.deepEqual(granted({ profile: 'privileged' }), granted({}));
  t.is(granted({ profile: 'privileged', capAdd: ['ALL'] }).length, 41);
  t.false(granted({ profile: 'privileged', capAdd: ['ALL'], capDrop: ['SYS_MODULE'] }).includes('SYS_MODULE'));
});
