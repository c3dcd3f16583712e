import test from 'ava';
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { findBlocked } from '../../../../controller/schedule/blocked.ts';
import { helps } from '../../../../controller/schedule/candidate.ts';
import { newNode } from '../../../../controller/schedule/fix-new-node.ts';
import { node, resources, service, snapshot, task } from '../../../support/builders.ts';

const fits = test.macro({
  exec(t, state: ClusterSnapshot, of: Service, expected: string) {
    const blocked = findBlocked(state, of, [{ slot: 0 }, { slot: 1 }]);
    if (blocked === undefined) throw new Error('it fits');
    const candidate = newNode(blocked);
    t.deepEqual(candidate.fix.edit, { kind: 'node', node: `new-${String(state.nodes.size + 1)}`, change: `add ${expected}` });
    t.true(helps(blocked, candidate));
  },
  title: (name = '') => `a new node ${name}`,
});
const big = service({ container: { requests: resources(9_000, 64) } });
test('has room for all slots', fits, snapshot({ nodes: [node('n1')], services: [big] }), big, 'cpu=18,memory=128Mi');

const special = service({
  container: {
    requests: { ...resources(50, 32), pids: 10 }, runtime: 'kata', deviceRequests: [{ name: 'acme.com/gpu', count: 2 }], limits: { memoryBytes: 1, pids: 1, cpuset: '1,5' },
    volumes: [{ kind: 'bind', hostPath: '/srv/x', target: '/x', readOnly: false }], devices: [{ hostPath: '/dev/fuse', target: '/dev/fuse', access: 'rwm' }],
  },
});
test('offers what the service needs of a machine', fits, snapshot({ nodes: [node('n1')], services: [special] }), special,
  'cpu=0.1,memory=64Mi,pids=20,runtime=kata,cpus=1+5,device=acme.com/gpu:4,bind-prefix=/srv/x,device-path=/dev/fuse');

const db = service({ name: 'db' });
const near = service({ container: { requests: resources(9_000, 64) }, placement: { affinity: [{ service: 'db', label: 'zone' }] } });
test('is where its neighbours are', fits, snapshot({ nodes: [node('n1', { labels: { zone: 'b' } })], services: [near, db], tasks: [task(db, 'n1')] }), near, 'cpu=18,memory=128Mi,zone=b');

const onSsd = service({ container: { requests: resources(9_000, 64) }, placement: { require: [{ label: 'disk', operator: '==', values: ['ssd'] }] } });
test('tells a label from an amount of that name', fits, snapshot({ nodes: [node('n1')], services: [onSsd] }), onSsd, 'cpu=18,memory=128Mi,label.disk=ssd');

const away = service({ placement: { avoid: [{ service: 'db', label: 'zone' }] } });
test('is apart from those that it must not meet', fits, snapshot({ nodes: [node('n1', { labels: { zone: 'b' } })], services: [away, db], tasks: [task(db, 'n1')] }), away, 'cpu=0.1,memory=64Mi,zone=new-2');
