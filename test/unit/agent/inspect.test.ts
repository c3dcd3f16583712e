import test from 'ava';
import { inspectDocument } from '../../../agent/inspect.ts';
import { newRecord } from '../../../agent/task/record.ts';
import { service, task } from '../../support/builders.ts';

const one = task(service(), 'n1');
const facts = { node: one.node, cgroup: { version: 1 as const, path: '/g/c', directories: ['/sys/fs/cgroup/memory/g/c'] }, logPath: '/l/1.log', processes: [7], namespaces: { net: 'net:[1]' }, usage: undefined, rootfs: { driver: 'overlay', writableBytes: 8192 }, volumes: [{ name: 'default/data', bytes: 4096 }] };

test('a running attempt with all of it', t => {
  const slot = { id: 's2', userNamespacePath: '/ns/user', networkNamespacePath: '/ns/net', hostBase: 65_536, address: '10.128.1.2' };
  const container = { container: { pid: 7, startTicks: 1 }, monitor: { pid: 6, startTicks: 1 } };
  const record = { ...newRecord(one, 1, 'boot'), step: 'running' as const, slot, container, isFrozen: true };
  t.like(inspectDocument({ ...facts, record, config: '{"mounts":[{"destination":"/proc"}],"root":{"path":"/r"}}' }), {
    node: 'n1', step: 'running', attempt: 1,
    container: { id: `gantry-${one.id}-1`, pid: 7, monitorPid: 6, isPaused: true, processes: [7], namespaces: { net: 'net:[1]' }, logPath: '/l/1.log', mounts: [{ destination: '/proc' }], rootfs: '/r', snapshotter: 'overlay', writableBytes: 8192 },
    volumes: [{ name: 'default/data', bytes: 4096 }], network: { address: '10.128.1.2', namespacePath: '/ns/net' }, cgroup: { version: 1, path: '/g/c' },
  });
});
test('before the first attempt nothing is made up', t => {
  t.like(inspectDocument({ ...facts, record: newRecord(one, 0, 'boot'), config: undefined }), { container: { id: null, pid: null, mounts: [], rootfs: null }, network: null, usage: null, resourcesInForce: null });
});
