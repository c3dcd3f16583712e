import test from 'ava';
import { parseNameservers, renderResolvConf } from '../../../../agent/dns/resolv-conf.ts';

test('names of the App come first, then of the namespace, then of the cluster', t => {
  t.is(renderResolvConf('10.128.1.1', 'prod', 'shop'), 'nameserver 10.128.1.1\nsearch shop.prod.gantry.internal prod.gantry.internal gantry.internal\noptions ndots:4\n');
});

test('the longest name with a search path has fewer dots than ndots', t => {
  t.true('db-0.db.shop.prod'.split('.').length - 1 < 4);
});

test('name servers are read in order; comments, options and IPv6 are passed over', t => {
  t.deepEqual(parseNameservers('# nameserver 1.1.1.1\nnameserver 10.0.0.2\noptions ndots:1\n  nameserver\t10.0.0.1 \nnameserver fe80::1\nsearch x\n'), ['10.0.0.2', '10.0.0.1']);
});
