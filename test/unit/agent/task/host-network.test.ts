import test from 'ava';
import { isOnHostNetwork, reachOf } from '../../../../agent/task/host-network.ts';
import { containerSpec, containerTask } from '../../../support/container-task.ts';

const SLOT = { id: 's1', userNamespacePath: '/u', networkNamespacePath: '/n', hostBase: 1, address: '10.128.0.2' };
const shared = containerTask({ security: { ...containerSpec().security, profile: 'privileged', hostNamespaces: ['userns', 'network'] } });

test('a task is reached in its slot, one on the machine\'s network on the machine', t => {
  t.deepEqual(reachOf(containerTask(), SLOT), { networkNamespacePath: '/n', address: '10.128.0.2' });
  t.deepEqual(reachOf(shared, SLOT), { networkNamespacePath: '/proc/self/ns/net', address: '127.0.0.1' });
  t.deepEqual([isOnHostNetwork(containerTask()), isOnHostNetwork(shared)], [false, true]);
});
