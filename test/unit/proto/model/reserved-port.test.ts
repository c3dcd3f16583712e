import test from 'ava';
import { isReservedPort, parseReservedPorts } from '#model/reserved-port.ts';

test('ports of both protocols or of one', t => {
  t.deepEqual(parseReservedPorts('22'), { first: 22, last: 22 });
  t.deepEqual(parseReservedPorts('7400-7403/tcp'), { first: 7400, last: 7403, protocol: 'tcp' });
  for (const text of ['', 'ssh', '22/sctp', '22/', '/tcp', '9-8/udp', '0', '22/tcp ']) t.is(parseReservedPorts(text), undefined, text);
});

test('a port is reserved within a range, for its protocol', t => {
  const reserved = [{ first: 53, last: 53 }, { first: 7400, last: 7403, protocol: 'tcp' }] as const;
  const reservedPorts = (protocol: 'tcp' | 'udp'): readonly number[] => [52, 53, 54, 7399, 7400, 7403, 7404].filter(published => isReservedPort({ published, protocol }, reserved));
  t.deepEqual(reservedPorts('tcp'), [53, 7400, 7403]);
  t.deepEqual(reservedPorts('udp'), [53]);
  t.false(isReservedPort({ protocol: 'tcp' }, reserved), 'one that is not published');
});
