import test from 'ava';
import { parseMode, parseShortPort, parseShortVolume } from '#model/mount-schema.ts';
import { serviceOf } from '../../../support/manifest.ts';

test('short ports', t => {
  const port = { mode: 'ingress', allowFrom: [] } as const;
  t.deepEqual(parseShortPort('80:8080'), { value: { ...port, published: 80, target: 8080, protocol: 'tcp' } });
  t.deepEqual(parseShortPort('53:53/udp'), { value: { ...port, published: 53, target: 53, protocol: 'udp' } });
  t.deepEqual(parseShortPort('8080'), { value: { ...port, target: 8080, protocol: 'tcp' } });
  for (const bad of ['127.0.0.1:80:80', '80-90:80', 'http', '80:80/sctp', '']) {
    t.true('problem' in parseShortPort(bad), bad);
  }
});

test('modes are octal text', t => {
  t.deepEqual(['0444', '400', '7777'].map(parseMode), [{ value: 0o444 }, { value: 0o400 }, { value: 0o7777 }]);
  for (const bad of ['0888', '0o444', '10000', '-1', '']) {
    t.true('problem' in parseMode(bad), bad);
  }
});

test('short volumes; a source that looks like a path is one', t => {
  t.deepEqual(parseShortVolume('v:/data'), { value: { kind: 'volume', source: 'v', target: '/data', readOnly: false } });
  t.deepEqual(parseShortVolume('v:/data:ro'), { value: { kind: 'volume', source: 'v', target: '/data', readOnly: true } });
  t.deepEqual(parseShortVolume('./x:/data'), { value: { kind: 'bind', hostPath: './x', target: '/data', readOnly: false } });
  for (const bad of ['v', ':/data', 'v:/data:z', 'v:/a:ro:x']) {
    t.true('problem' in parseShortVolume(bad), bad);
  }
});

test('configs and secrets have a place and a mode of their own', t => {
  const { container } = serviceOf({ configs: ['c', { source: 'c', target: '/etc/c', mode: '0640', uid: 5 }], secrets: ['s'] },
    { configs: { c: { content: 'x' } }, secrets: { s: { external: true } } });
  t.deepEqual(container.configs, [{ source: 'c', target: '/c', mode: 0o444 }, { source: 'c', target: '/etc/c', mode: 0o640, uid: 5 }]);
  t.deepEqual(container.secrets, [{ source: 's', target: '/run/secrets/s', mode: 0o400 }]);
});

test('a tmpfs is 64Mi unless it says otherwise', t => {
  const { volumes } = serviceOf({ volumes: [{ type: 'tmpfs', target: '/tmp' }, { type: 'tmpfs', target: '/b', size: '1Mi' }] }).container;
  t.deepEqual(volumes, [{ kind: 'tmpfs', target: '/tmp', sizeBytes: 67_108_864 }, { kind: 'tmpfs', target: '/b', sizeBytes: 1_048_576 }]);
});
