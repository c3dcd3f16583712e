import test from 'ava';
import { statusItem } from '../../../../cli/dev/cluster-file.ts';
import { devLayout, portsNeeded } from '../../../../cli/dev/layout.ts';

const layout = devLayout({ name: 'dev', underlayIndex: 0, nodeCount: 1, controllerCount: 1, ports: Array.from({ length: portsNeeded(1) }, (_, index) => 7400 + index) });

test('dev status says what runs where, and null for what is not', t => {
  const file = { layout, processes: [{ name: 'etcd', kind: 'etcd', pid: 7 }, { name: 'n1', kind: 'agent', node: 'n1' }], previousSettings: {}, links: [] } as const;
  t.deepEqual(statusItem(file), {
    name: 'dev', url: null, registry: '10.161.0.1:7403',
    processes: [{ name: 'etcd', kind: 'etcd', node: null, pid: 7 }, { name: 'n1', kind: 'agent', node: 'n1', pid: null }],
  });
});
