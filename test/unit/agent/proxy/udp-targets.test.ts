import test from 'ava';
import { endedUdpTargets } from '../../../../agent/proxy/udp-targets.ts';
import { endpointService, endpointSet, port } from '../../../support/endpoint-sets.ts';

const udp = (...endpoints: string[]): ReturnType<typeof endpointSet> => endpointSet([
  endpointService('dns', '10.160.0.1', [port(53, { protocol: 'udp' })], endpoints), endpointService('web', '10.160.0.2', [port(80)], ['n1/10.128.1.9']),
]);

test('an endpoint that went or turned unhealthy is ended; tcp alone is not', t => {
  t.deepEqual(endedUdpTargets(udp('n1/10.128.1.3', 'n1/10.128.1.2', 'n1/10.128.1.4'), udp('n1/10.128.1.2', '!n1/10.128.1.4')), ['10.128.1.3', '10.128.1.4']);
  t.deepEqual(endedUdpTargets(udp(), endpointSet([])), []);
});
