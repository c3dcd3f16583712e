import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { requireNode, requireRole } from '../../../../controller/api/access.ts';

const peer = (role: 'operator' | 'node' | 'controller', name: string) => ({ role, name, address: '10.0.0.1' });

test('a certificate has one role', t => {
  t.notThrows(() => { requireRole(peer('operator', 'ann'), 'operator'); });
  t.throws(() => { requireRole(peer('node', 'n1'), 'operator'); }, { message: /node n1 may not call this; it takes one of role operator/ });
  t.throws(() => { requireRole(peer('operator', 'ann'), 'controller'); });
});

test('a node speaks for itself alone', t => {
  t.notThrows(() => { requireNode(peer('node', 'n1'), parseNodeId('n1')); });
  t.throws(() => { requireNode(peer('node', 'n1'), parseNodeId('n2')); }, { message: 'node id in message (n2) does not match certificate (n1)' });
  t.throws(() => { requireNode(peer('operator', 'n1'), parseNodeId('n1')); });
});
