import test from 'ava';
import type { Service } from '#model/app.ts';
import type { PublishedPort } from '#model/service.ts';
import { findClashes, namesSharedThings } from '../../../../controller/api/cluster-clashes.ts';
import { node, service, snapshot } from '../../../support/builders.ts';
import type { ServiceOptions } from '../../../support/builders.ts';
import { appOf, manifest } from '../../../support/manifest.ts';

const port = (published: number, options: Partial<PublishedPort> = {}): PublishedPort => ({ published, target: 80, protocol: 'tcp', mode: 'ingress', allowFrom: [], ...options });
const other = (ports: readonly PublishedPort[], options: ServiceOptions = {}): Service => service({ app: 'other', container: { ports }, ...options });

const clashes = test.macro({
  exec(t, ports: readonly unknown[], held: Service, paths: readonly string[]) {
    const app = appOf(manifest({ ports }));
    t.deepEqual(findClashes(app, snapshot({ services: [held] }), []).map(violation => violation.path), paths);
  },
  title: (name = '') => `findClashes: ${name}`,
});
const PATH = ['services.web.ports[0].published'];
test('the same port', clashes, ['80:80'], other([port(80)]), PATH);
test('another protocol', clashes, ['80:80/udp'], other([port(80)]), []);
test('another port', clashes, ['81:80'], other([port(80)]), []);
test('a host port against an ingress port', clashes, [{ published: 80, target: 80, mode: 'host' }], other([port(80)]), PATH);
test('an ingress port against a host port', clashes, ['80:80'], other([port(80, { mode: 'host' })]), PATH);
test('two host ports are the scheduler\'s', clashes, [{ published: 80, target: 80, mode: 'host' }], other([port(80, { mode: 'host' })]), []);
test('a service that is being deleted holds nothing', clashes, ['80:80'], other([port(80)], { isDeleting: true }), []);
test('the App\'s own service is no stranger', clashes, ['80:80'], service({ app: 'shop', container: { ports: [port(80)] } }), []);
test('nothing published', clashes, [{ target: 80 }], other([port(80)]), []);

test('a volume has not the place of another App\'s replica, either way round', t => {
  const held = (name: string, perReplica: boolean): Service => other([], { volumes: [{ name, perReplica }] });
  const wish = (name: string, perReplica: boolean): ReturnType<typeof appOf> => appOf(manifest({}, { volumes: { [name]: { per_replica: perReplica } } }));
  t.like(findClashes(wish('data-0', false), snapshot({ services: [held('data', true)] }), [])[0], { path: 'volumes', key: 'data-0' });
  t.like(findClashes(wish('data', true), snapshot({ services: [held('data-0', false)] }), [])[0], { path: 'volumes', key: 'data' });
  t.deepEqual(findClashes(wish('data', false), snapshot({ services: [held('data', false)] }), []), [], 'a volume of the namespace is shared by name');
});

test('a turn is taken for published ports and volumes', t => {
  t.false(namesSharedThings(appOf(manifest({ ports: [{ target: 80 }] }))));
  t.true(namesSharedThings(appOf(manifest({ ports: ['80:80'] }))));
  t.true(namesSharedThings(appOf(manifest({}, { volumes: { v: {} } }))));
});

test('services of two Apps that must be near each other', t => {
  const theirs = (weight?: number): Service => other([], { placement: { affinity: [{ service: 'shop/web', label: 'node', ...(weight === undefined ? {} : { weight }) }] } });
  const wish = appOf(manifest({ placement: { affinity: ['other/web'] } }));
  t.like(findClashes(wish, snapshot({ services: [theirs()] }), []), [{ path: 'services.web.placement.affinity[0]' }]);
  t.regex(findClashes(wish, snapshot({ services: [theirs()] }), [])[0]?.message ?? '', /^cycle: default\/shop\/web -> default\/other\/web -> default\/shop\/web; /);
  t.deepEqual(findClashes(wish, snapshot({ services: [theirs(5)] }), []), []);
  t.deepEqual(findClashes(wish, snapshot({ services: [other([])] }), []), []);
});

test('a port that the nodes need cannot be published, in either mode', t => {
  const reserved = [{ first: 22, last: 22, protocol: 'tcp' }, { first: 53, last: 53 }] as const;
  const found = findClashes(appOf(manifest({ ports: ['22:80', '22:80/udp', '53:80/udp', { published: 53, target: 80, mode: 'host' }, '80:22'] })), snapshot(), reserved);
  t.deepEqual(found.map(({ path }) => path), [0, 2, 3].map(index => `services.web.ports[${String(index)}].published`));
  t.is(found[0]?.message, 'port 22/tcp is reserved for the nodes by --reserved-ports of the controllers; choose another');
});

test('a port on which a process of a node listens cannot be published on every node', t => {
  const nodes = [node('n1'), node('n2', { listeningPorts: ['tcp/8080', 'udp/53'] })];
  const found = (ports: readonly unknown[], services: readonly Service[] = [], states = nodes): readonly string[] => findClashes(appOf(manifest({ ports })), snapshot({ nodes: states, services }), []).map(({ message }) => message);
  t.deepEqual(found(['8080:80']), ['port 8080/tcp is in use on node n2 by a process that is not a task; choose another port or stop that process']);
  t.deepEqual(found(['8080:80/udp', '53:80', { published: 8_080, target: 80, mode: 'host' }, '80:8080']), [], 'another protocol, a port of one node, or a target');
  t.deepEqual(found(['8080:80'], [service({ app: 'shop', container: { ports: [port(8_080)] } })]), [], 'the App had it before the process');
  t.is(found(['8080:80'], [service({ app: 'shop', container: { ports: [port(8_080, { mode: 'host' })] } })]).length, 1);
  t.deepEqual(found(['8080:80'], [], [node('n2', { listeningPorts: ['tcp/8080'], condition: 'lost' })]), []);
});
