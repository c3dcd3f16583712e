import test from 'ava';
import { listeningPorts, parseEphemeral, portHolders, settledPorts } from '../../../../agent/network/listening-ports.ts';

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

const heldAt = (protocol: 'tcp' | 'udp', address: string): number => portHolders(protocol, `${HEAD}   0: ${address}:0016 00000000:0000 ${protocol === 'tcp' ? '0A' : '07'} 0:0 00:0 0 0 0 7 1\n`).length;
test('a port is held by a socket on any address, or on one that published ports take', t => {
  t.deepEqual(['00000000', '0100A8C0', '0'.repeat(32), '0000000000000000FFFF00000100A8C0'].map(address => heldAt('tcp', address)), [1, 1, 1, 1]);
});
test('a port on loopback or on IPv6 alone is not held', t => {
  t.deepEqual(['0100007F', '3500007F', '00000000000000000000000001000000', '000080FE00000000FF005056FEB80000', '0000000000000000FFFF00000100007F'].map(address => heldAt('tcp', address)), [0, 0, 0, 0, 0]);
  t.is(heldAt('udp', '3500007F'), 0);
});

const EPHEMERAL = { first: 32_768, last: 60_999 };
const holder = (protocol: 'tcp' | 'udp', port: number): ReturnType<typeof portHolders>[number] => ({ protocol, port, inode: port });
test('listening ports: each once, without those of tasks and without UDP ports of clients', t => {
  const holders = [holder('udp', 53), holder('tcp', 22), holder('tcp', 22), holder('tcp', 40_000), holder('udp', 40_000), holder('udp', 61_000), holder('tcp', 9_100)];
  t.deepEqual(listeningPorts(holders, EPHEMERAL, new Set(['tcp/9100'])), ['tcp/22', 'tcp/40000', 'udp/53', 'udp/61000']);
});
test('listening ports: the lowest 512 of too many', t => {
  const ports = listeningPorts(Array.from({ length: 600 }, (_, index) => holder('tcp', 20_000 - index)), EPHEMERAL, new Set());
  t.is(ports.length, 512);
  t.is(ports.at(-1), `tcp/${String(20_000 - 600 + 512)}`);
});
test('the range of ephemeral ports, and the usual one where it cannot be read', t => {
  t.deepEqual(parseEphemeral('1024\t2048\n'), { first: 1_024, last: 2_048 });
  t.deepEqual(parseEphemeral(''), EPHEMERAL);
});
test('a port is settled once two polls agree', t => {
  t.deepEqual(settledPorts([], [], ['tcp/1']), []);
  t.deepEqual(settledPorts([], ['tcp/1'], ['tcp/1', 'tcp/2']), ['tcp/1']);
  t.deepEqual(settledPorts(['tcp/1'], ['tcp/1'], []), ['tcp/1']);
  t.deepEqual(settledPorts(['tcp/1'], [], []), []);
});
