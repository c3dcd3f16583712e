import test from 'ava';
import { claimsBy, targetOf } from '../../../../controller/schedule/claims.ts';
import { parseNodeId } from '#model/ids.ts';
import { service, serviceStatus, snapshot } from '../../../support/builders.ts';

test('a name is of the same App, or with its App of the same namespace', t => {
  t.is(targetOf(service(), 'db'), service({ name: 'db' }).id);
  t.is(targetOf(service(), 'other/db'), service({ name: 'db', app: 'other' }).id);
});

test('a service claims what it must avoid, and where room is made for it', t => {
  const web = service({ placement: { avoid: [{ service: 'db', label: 'zone' }, { service: 'noisy', label: 'node', weight: 1 }] } });
  const pending = [{ slot: 0, reason: 'no room' }, { slot: 1, reason: 'waits', node: parseNodeId('n1') }];
  const state = snapshot({ services: [web], serviceStatuses: [serviceStatus(web, { pending })] });
  t.deepEqual(claimsBy(state, web.id), [
    { kind: 'avoid', by: web.id, against: 'default/shop/db', label: 'zone' }, { kind: 'room', by: web, slot: 1, node: 'n1' },
  ] as object[]);
  t.deepEqual(claimsBy(snapshot(), web.id), []);
});
