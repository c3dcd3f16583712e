import test from 'ava';
import { parsePeerUri, parseSubjectAltName, peerUri } from '#model/peer-name.ts';

test('a peer name is its URI, both ways', t => {
  t.is(peerUri({ role: 'node', name: 'n1' }), 'spiffe://gantry/node/n1');
  t.deepEqual(parsePeerUri('spiffe://gantry/operator/joe.x'), { role: 'operator', name: 'joe.x' });
  t.deepEqual(parsePeerUri('spiffe://gantry/server/nats'), { role: 'server', name: 'nats' });
});

for (const uri of ['spiffe://other/node/n1', 'spiffe://gantry/root/n1', 'spiffe://gantry/node/', 'spiffe://gantry/node/a/b', 'xspiffe://gantry/node/n1', 'spiffe://gantry/node/n1\n']) {
  test(`${JSON.stringify(uri)} names nobody`, t => { t.is(parsePeerUri(uri), undefined); });
}

test('other alternative names do not matter', t => {
  t.deepEqual(parseSubjectAltName('DNS:c1, URI:spiffe://gantry/controller/c1, IP Address:10.0.0.1'), { role: 'controller', name: 'c1' });
});

test('two URIs name nobody', t => {
  t.is(parseSubjectAltName('URI:spiffe://gantry/node/n1, URI:spiffe://gantry/operator/x'), undefined);
});

test('a DNS name that spells a URI is quoted by Node and names nobody', t => {
  t.is(parseSubjectAltName('DNS:"x, URI:spiffe://gantry/operator/x, y"'), undefined);
});

test('no alternative names name nobody', t => { t.is(parseSubjectAltName(''), undefined); });
