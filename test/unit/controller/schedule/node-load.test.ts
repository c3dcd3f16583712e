import test from 'ava';
import { hostPortsOf, nodeLoads } from '../../../../controller/schedule/node-load.ts';
import { container, failed, node, resources, service, snapshot, status, task } from '../../../support/builders.ts';

const PORT = { published: 53, target: 53, protocol: 'udp', mode: 'host', allowFrom: [] } as const;

test('a node is loaded with its unfinished tasks, wanted or stopping; finished ones cost nothing', t => {
  const web = service({ container: { requests: resources(100, 10), ports: [PORT] } });
  const [runs, stops, ended] = [task(web, 'n1'), task(web, 'n1', { slot: 1, desired: 'stop' }), task(web, 'n1', { slot: 2 })] as const;
  const [load, other] = nodeLoads(snapshot({ nodes: [node('n2'), node('n1')], tasks: [runs, stops, ended], statuses: [status(runs), failed(ended)] }));
  t.deepEqual(load?.used, resources(200, 20));
  t.deepEqual(other?.used, resources(0, 0));
});
test('only published ports of mode host take a port of the node', t => {
  const { published: _, ...unpublished } = PORT;
  t.deepEqual(hostPortsOf(container({ ports: [PORT, { ...PORT, mode: 'ingress' }, unpublished, { ...PORT, published: 80, protocol: 'tcp' }] })), ['tcp/80', 'udp/53']);
});
test('sidecars count with the main container', t => {
  const web = service({ container: { requests: resources(30, 40) }, companions: [{ name: 'proxy', role: 'sidecar', container: container({ requests: resources(5, 6) }) }] });
  const one = task(web, 'n1', { companions: web.spec.companions ?? [] });
  t.deepEqual(nodeLoads(snapshot({ nodes: [node('n1')], tasks: [one] }))[0]?.used, resources(35, 46));
});
