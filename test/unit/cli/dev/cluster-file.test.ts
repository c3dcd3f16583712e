import test from 'ava';
import { linksToRemove, statusItem, statusLines, statusTable } from '../../../../cli/dev/cluster-file.ts';
import { devLayout } from '../../../../cli/dev/layout.ts';

const layout = devLayout({ name: 'dev', underlayIndex: 0, nodeCount: 1, controllerCount: 1, ports: [1, 2, 3, 5000, 5, 6, 7] });

test('what is absent is null, so that the shape is always the same', t => {
  const file = { layout, processes: [{ name: 'c1', kind: 'controller', pid: 5 }, { name: 'n1', kind: 'agent', node: 'n1' }] as const, previousSettings: {}, links: [] };
  t.deepEqual(statusItem(file), {
    name: 'dev', url: null, registry: '10.161.0.1:5000',
    processes: [{ name: 'c1', kind: 'controller', node: null, pid: 5 }, { name: 'n1', kind: 'agent', node: 'n1', pid: null }],
  });
});
test('as a table: who is down, and where nodes are reached', t => {
  const file = { layout, processes: [{ name: 'c1', kind: 'controller', pid: 5 }, { name: 'n1', kind: 'agent', node: 'n1' }] as const, previousSettings: {}, links: [] };
  t.deepEqual(statusTable(file).rows, [['c1', 'controller', 'up', '5', '', ''], ['n1', 'agent', 'down', '', 'n1', layout.nodes[0]?.address ?? '']]);
  t.is(statusLines({ ...file, url: 'http://127.0.0.1:8080/' }), '\nexample: http://127.0.0.1:8080/\nregistry: 10.161.0.1:5000\n');
});
test('a link goes with the last cluster that has noted it', t => {
  const file = { links: ['clusterctl', 'gantry'] };
  t.deepEqual(linksToRemove(file, []), ['clusterctl', 'gantry']);
  t.deepEqual(linksToRemove(file, [{ links: [] }, { links: ['clusterctl'] }]), ['gantry']);
  t.deepEqual(linksToRemove({ links: [] }, [file]), []);
});
