import test from 'ava';
import { hostFiles } from '../../../../agent/dns/host-names.ts';
import { endpoint, endpointService, endpointSet } from '../../../support/endpoint-sets.ts';

function lines(...[service]: [ReturnType<typeof endpointService>]): string[] {
  return (hostFiles(endpointSet([service])).get('prod.shop.db') ?? '').split('\n').filter(line => line !== '');
}

test('a service is its virtual IP; its healthy tasks are under tasks', t => {
  t.deepEqual(lines(endpointService('db', '10.160.0.2', [], ['n2/10.128.2.4', 'n1/10.128.1.4', '!n1/10.128.1.5'])), [
    '10.160.0.2 db.shop.prod.gantry.internal', '10.128.1.4 tasks.db.shop.prod.gantry.internal', '10.128.2.4 tasks.db.shop.prod.gantry.internal',
  ]);
});

test('ordinals of a stateful service are there before they are healthy', t => {
  t.deepEqual(lines(endpointService('db', '10.160.0.2', [], ['!n1/10.128.1.5'], { kind: 'stateful' })), [
    '10.160.0.2 db.shop.prod.gantry.internal', '10.128.1.5 db-0.db.shop.prod.gantry.internal',
  ]);
});

test('of two tasks with one ordinal the healthy one counts', t => {
  const endpoints = [endpoint('!n1/10.128.1.5', 0), endpoint('n1/10.128.1.6', 0)];
  t.deepEqual(lines({ ...endpointService('db', '10.160.0.2', [], [], { kind: 'stateful' }), endpoints }).at(-1), '10.128.1.6 db-0.db.shop.prod.gantry.internal');
});

test('one file a service, apart for services whose names join to the same text', t => {
  const files = hostFiles(endpointSet([endpointService('b-c', '10.160.0.1', [], [], { app: 'a' }), endpointService('c', '10.160.0.2', [], [], { app: 'a-b' })]));
  t.deepEqual([...files.keys()], ['prod.a.b-c', 'prod.a-b.c']);
});

test('an address that is none is left out', t => {
  t.deepEqual(lines(endpointService('db', '10.160.0.2', [], ['n1/10.128.1.5\n6.6.6.6 bank.example'], { kind: 'stateful' })), ['10.160.0.2 db.shop.prod.gantry.internal']);
});
