import test from 'ava';
import { splitAddress } from '#kit/address-parse.ts';
import { ClusterError } from '#model/errors.ts';

test('an address is a host and a port', t => {
  t.deepEqual(splitAddress('10.0.0.1:7400'), { host: '10.0.0.1', port: 7400 });
  t.deepEqual(splitAddress('c1.example.org:1'), { host: 'c1.example.org', port: 1 });
  t.deepEqual(splitAddress('[fd00::1]:65535'), { host: 'fd00::1', port: 65_535 });
});

for (const address of ['', 'c1', ':7400', 'c1:', 'c1:0', 'c1:65536', 'c1:74OO', 'c1:+80', 'fd00::1:80', '[fd00::1]', '[]:80', 'https://c1:80', 'c 1:80', 'c1:80 ']) {
  test(`${JSON.stringify(address)} is no address, and the refusal says so`, t => {
    const error = t.throws(() => splitAddress(address), { instanceOf: ClusterError });
    t.is(error.code, 'INVALID_ARGUMENT');
    t.true(error.message.includes(`${JSON.stringify(address)} is not HOST:PORT`));
  });
}
