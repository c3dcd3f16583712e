import test from 'ava';
import { portHolders } from '../../../../agent/network/listening-ports.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

test('listeners of tcp, and only these', t => {
  t.deepEqual(portHolders('tcp', `${HEAD}   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F91 0200007F:01BB 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n`), [{ protocol: 'tcp', port: 8_080, inode: 4_711 }]);
});

test('bound sockets of udp, also of IPv6', t => {
  t.deepEqual(portHolders('udp', `${HEAD} 9: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 88 2 0 0\n`), [{ protocol: 'udp', port: 53, inode: 88 }]);
});

test('a table of nobody', t => {
  t.deepEqual(portHolders('tcp', HEAD), []);
});
