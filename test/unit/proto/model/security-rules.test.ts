import test from 'ava';
import { isNamespacedSysctl } from '#model/security-rules.ts';
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

test('only sysctls of the container\'s own namespaces', t => {
  t.deepEqual(['net.core.somaxconn', 'net.ipv4.ip_forward', 'kernel.shmmax', 'fs.mqueue.msg_max'].filter(name => !isNamespacedSysctl(name)), []);
  t.deepEqual(['kernel.core_pattern', 'vm.swappiness', 'net.ipv4..x', 'net.ipv4/../../kernel', 'net.core.rmem_max', 'fs.file-max'].filter(isNamespacedSysctl), []);
});

test('privileged is not allowed', t => {
  t.deepEqual(messagesOf({ profile: 'privileged' }), ["services.web.security.profile: profile 'privileged' is not allowed in this Namespace; use baseline or restricted"]);
});
