import test from 'ava';
import { isNamespacedSysctl } from '#model/sysctl-rules.ts';
import { manifest, violationsOf } from '../../../support/manifest.ts';

const messagesOf = (name: string, value: string): readonly string[] => violationsOf(manifest({ sysctls: { [name]: value } })).map(({ path, message }) => `${path}: ${message}`);

test('only sysctls of the container\'s own namespaces', t => {
  t.deepEqual(['net.core.somaxconn', 'net.ipv4.ip_forward', 'kernel.shmmax', 'fs.mqueue.msg_max'].filter(name => !isNamespacedSysctl(name)), []);
  t.deepEqual(['kernel.core_pattern', 'vm.swappiness', 'net.ipv4..x', 'net.ipv4/../../kernel', 'net.core.rmem_max', 'fs.file-max'].filter(isNamespacedSysctl), []);
});

const accepts = test.macro({
  title: (_, name: string, value: string) => `24: ${name} takes ${JSON.stringify(value)}`,
  exec: (t, name: string, value: string) => { t.deepEqual(messagesOf(name, value), []); },
});
const refuses = test.macro({
  title: (_, name: string, value: string) => `24: ${name} does not take ${JSON.stringify(value).slice(0, 60)}`,
  exec: (t, name: string, value: string, message: RegExp) => { t.regex(messagesOf(name, value)[0] ?? 'accepted', message); },
});

test(accepts, 'net.core.somaxconn', '4096');
test(accepts, 'net.ipv4.ip_forward', '1');
test(accepts, 'net.ipv4.ip_local_port_range', '1024 65000');
test(accepts, 'net.ipv4.ip_local_port_range', '1024\t65000');
test(accepts, 'net.ipv4.ping_group_range', '0 2147483647');
test(accepts, 'net.ipv4.ping_group_range', '1 0');
test(accepts, 'net.ipv4.tcp_rmem', '4096 131072 6291456');
test(accepts, 'net.ipv4.tcp_congestion_control', 'cubic');
test(accepts, 'net.ipv4.ip_local_reserved_ports', '8080,9000-9010');
test(accepts, 'net.ipv4.ip_local_reserved_ports', '');
test(accepts, 'net.ipv4.tcp_fastopen_key', '01234567-89abcdef-01234567-89abcdef');
test(accepts, 'net.ipv6.conf.all.stable_secret', '2001:db8::1');
test(accepts, 'net.ipv6.conf.all.hop_limit', '-1');
test(accepts, 'kernel.sem', '250 32000 32 128');
test(accepts, 'kernel.shmmax', '18446744073692774399');
test(accepts, 'fs.mqueue.msg_max', '65536');
test(refuses, 'net.core.somaxconn', 'abc', /services\.web\.sysctls: 'abc' is no value of net\.core\.somaxconn: expected a whole number from 0 to 2147483647/);
test(refuses, 'net.core.somaxconn', '-1', /expected/);
test(refuses, 'net.core.somaxconn', '2147483648', /expected/);
test(refuses, 'net.core.somaxconn', '1 2', /expected/);
test(refuses, 'net.ipv4.ip_forward', '1+kernel.core_pattern=|/x', /expected a whole number, or several/);
test(refuses, 'net.ipv4.ip_forward', '', /expected/);
test(refuses, 'net.ipv4.ip_forward', '1\n2', /expected/);
test(refuses, 'net.ipv4.ip_local_port_range', '65000 1024', /the lower one first/);
test(refuses, 'net.ipv4.tcp_rmem', '4096', /expected 3 whole numbers/);
test(refuses, 'net.ipv4.tcp_congestion_control', 'cubic;', /names such as cubic/);
test(refuses, 'net.ipv6.conf.all.stable_secret', 'secret', /IPv6/);
test(refuses, 'kernel.shm_rmid_forced', '2', /expected/);
test(refuses, 'fs.mqueue.msg_max', '65537', /expected/);
test(refuses, 'kernel.sem', '9'.repeat(300), /expected/);
