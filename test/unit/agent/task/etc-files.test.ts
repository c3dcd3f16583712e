import test from 'ava';
import { etcFiles } from '../../../../agent/task/etc-files.ts';
import { container, service, task, taskId } from '../../../support/builders.ts';

const WEB = task(service(), 'n1', { id: taskId('web') });

test('the hostname is the name of the task, unless it has one', t => {
  t.is(etcFiles(WEB, '10.128.1.2', '').get('hostname'), 'web-0-webaa\n');
  t.is(etcFiles({ ...WEB, container: container({ hostname: 'db' }) }, '10.128.1.2', '').get('hostname'), 'db\n');
});

test('hosts names the task by its address, and the extra hosts', t => {
  const extraHosts = [{ name: 'mail', address: '192.0.2.7' }];
  const hosts = etcFiles({ ...WEB, container: container({ extraHosts }) }, '10.128.1.2', '').get('hosts');
  t.is(hosts, '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.128.1.2\tweb-0-webaa\n192.0.2.7\tmail\n');
});

test('resolv.conf is what the DNS says', t => {
  t.is(etcFiles(WEB, '10.128.1.2', 'nameserver 10.128.1.1\n').get('resolv.conf'), 'nameserver 10.128.1.1\n');
});

test('own name servers, domains and options stand in front of the cluster\'s', t => {
  const dns = { servers: ['10.0.0.53'], search: ['corp.example', 'a.b'], options: ['ndots:1'] };
  const text = 'nameserver 10.128.1.1\nsearch shop.default.x a.b\noptions ndots:4\n';
  t.is(etcFiles({ ...WEB, container: container({ dns }) }, '10.128.1.2', text).get('resolv.conf'),
    'nameserver 10.0.0.53\nnameserver 10.128.1.1\nsearch corp.example a.b shop.default.x\noptions ndots:4 ndots:1\n');
});
