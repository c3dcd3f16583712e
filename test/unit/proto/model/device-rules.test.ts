import test from 'ava';
import { isDeviceName } from '#model/device-rules.ts';
import { manifest, violationsOf } from '../../../support/manifest.ts';

const pathsOf = (web: object): readonly string[] => violationsOf(manifest(web)).map(({ path }) => path);

test('devices are below /dev, none of those every container has, each place once', t => {
  t.deepEqual(pathsOf({ devices: ['/dev/fuse', '/dev/net/tun:/dev/mine/tun:rw'] }), []);
  for (const bad of ['/etc/passwd', '/dev/../etc/passwd', '/dev/', '/dev', '/dev/fuse:/etc/fuse', '/dev/fuse:/dev/null', '/dev/fuse:/dev/pts/0', '/dev/shm/x']) {
    t.deepEqual(pathsOf({ devices: [bad] }), ['services.web.devices[0]'], bad);
  }
  t.deepEqual(pathsOf({ devices: ['/dev/fuse', '/dev/kvm:/dev/fuse'] }), ['services.web.devices[1]']);
});
test('a named device may be asked for by shares', t => {
  for (const good of [0.5, 0.001, { count: 2, share: 0.25 }, 2, { count: 2 }]) {
    t.deepEqual(pathsOf({ resources: { requests: { devices: { gpu: good } } } }), [], JSON.stringify(good));
  }
  for (const bad of [0, 1.5, 0.0004, -1, 'half', { count: 2, share: 1 }, { count: 0, share: 0.5 }, { share: 0.5, of: 2 }]) {
    t.is(pathsOf({ resources: { requests: { devices: { gpu: bad } } } }).length, 1, JSON.stringify(bad));
  }
});
test('named devices are counted', t => {
  t.deepEqual(pathsOf({ resources: { requests: { devices: { 'nvidia.com/gpu': 2, 'fpga': 1 } } } }), []);
  t.deepEqual(pathsOf({ resources: { requests: { devices: { 'nvidia.com/gpu': 0 } } } }).length, 1);
  t.deepEqual(pathsOf({ resources: { requests: { devices: { 'a b': 1 } } } }).length, 1);
  t.deepEqual(['gpu', 'nvidia.com/gpu', 'a.b/c_d'].filter(name => !isDeviceName(name)), []);
  t.deepEqual(['', '/gpu', 'gpu/', 'a/b/c', 'GPU', '../x', 'a#0'].filter(isDeviceName), []);
});
test('name servers are addresses, at most two; domains and options are such', t => {
  t.deepEqual(pathsOf({ dns: { servers: ['10.0.0.53', 'fd00::1'], search: ['corp.example'], options: ['ndots:1', 'rotate'] } }), []);
  t.deepEqual(pathsOf({ dns: { servers: ['1.1.1.1', '1.0.0.1', '8.8.8.8'] } }), ['services.web.dns.servers']);
  t.deepEqual(pathsOf({ dns: { servers: ['ns.example'], search: ['a b', 'x\nnameserver 6.6.6.6'], options: ['ndots 1'] } }), ['services.web.dns.servers[0]', 'services.web.dns.search[0]', 'services.web.dns.search[1]', 'services.web.dns.options[0]']);
  t.deepEqual(pathsOf({ dns: { server: ['1.1.1.1'] } }), ['services.web.dns.server']);
});
