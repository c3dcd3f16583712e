import test from 'ava';
import { dnsmasqArgs } from '../../../../agent/dns/dnsmasq-args.ts';

const args = dnsmasqArgs({ gatewayAddress: '10.128.1.1', hostsDir: '/run/h', pidFile: '/run/p', upstreams: ['10.0.0.1', '10.0.0.2'], user: 'nobody' });

test('it listens on the bridge address alone and reads nothing of the machine', t => {
  t.deepEqual(args.filter(arg => /listen|bind|conf-file|no-hosts|no-resolv/.test(arg)), ['--conf-file=/dev/null', '--listen-address=10.128.1.1', '--bind-interfaces', '--no-hosts', '--no-resolv']);
});

test('the zone is its own, other names go to the upstreams in order', t => {
  t.true(args.includes('--local=/gantry.internal/'));
  t.deepEqual(args.filter(arg => arg.startsWith('--server')), ['--server=10.0.0.1', '--server=10.0.0.2']);
});
