import test from 'ava';
import type { Service } from '#model/app.ts';
import type { FixEdit } from '#model/cluster-plan.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { findBlocked } from '../../../../controller/schedule/blocked.ts';
import type { Candidate } from '../../../../controller/schedule/candidate.ts';
import { fewerReplicas, loosened, withoutGang, withoutRules, withoutVolumes } from '../../../../controller/schedule/fix-field.ts';
import { node, resources, service, snapshot, task } from '../../../support/builders.ts';

type Kind = typeof loosened | typeof withoutRules | typeof withoutVolumes | typeof fewerReplicas | typeof withoutGang;

const offers = test.macro({
  exec(t, kind: Kind, state: ClusterSnapshot, of: Service, expected: readonly string[]) {
    const slots = Array.from({ length: of.spec.replicas }, (_, slot) => ({ slot }));
    const blocked = findBlocked(state, of, slots);
    const found: Iterable<Candidate> = blocked === undefined ? [] : kind(blocked, blocked.nodes);
    t.deepEqual([...found].map(one => textOf(one.fix.edit)), expected);
  },
  title: (name = '') => `offers ${name}`,
});

function textOf(edit: FixEdit): string {
  return edit.kind === 'field' ? `${edit.path}: ${edit.value}` : edit.change;
}

function on(of: Service, ...others: readonly Service[]): ClusterSnapshot {
  return snapshot({ nodes: [node('n1')], services: [of, ...others], tasks: others.map(other => task(other, 'n1')) });
}

const db = service({ name: 'db' });
const tainted = snapshot({ nodes: [node('n1', { taints: ['spot', 'gpu'] })], services: [service()] });
test('each taint as one more that is tolerated', offers, loosened, tainted, service({ placement: { tolerate: ['x'] } }), ['services.web.placement.tolerate: [gpu, x]', 'services.web.placement.tolerate: [spot, x]']);

const apart = service({ placement: { maxPer: [{ label: 'node', count: 1 }] } });
test('wider and wider max_per', offers, loosened, on(apart), apart, ['services.web.placement.max_per.node: 2', 'services.web.placement.max_per.node: 3']);

const published = (app: string): Service => service({ app, replicas: 1, container: { ports: [{ published: 80, target: 8080, protocol: 'tcp', mode: 'host', allowFrom: [] }] } });
test('another port of the node, then one of the cluster', offers, loosened, on(published('shop'), published('edge')), published('shop'), ['services.web.ports[0].published: 81', 'services.web.ports[0].mode: ingress']);

const kata = service({ replicas: 1, container: { runtime: 'kata' } });
test('a runtime that is there', offers, loosened, on(kata), kata, ['services.web.runtime: crun']);

const near = service({ replicas: 1, placement: { affinity: [{ service: 'db', label: 'node' }, { service: 'x/y', label: 'zone', weight: 3 }] } });
test('one rule less; wishes stay', offers, withoutRules, snapshot({ nodes: [node('n1')], services: [near, db] }), near, ['services.web.placement.affinity: [{ service: x/y, label: zone, weight: 3 }]']);

const shy = service({ name: 'db', placement: { avoid: [{ service: 'web', label: 'node' }] } });
const web = service({ replicas: 1 });
test('what another service of the App keeps off', offers, withoutRules, on(web, shy), web, ['services.db.placement.avoid: []']);

const big = service({ container: { requests: resources(1_500, 64) } });
test('as many replicas as fit', offers, fewerReplicas, on(big), big, ['services.web.replicas: 2']);
test('scale is the call for it', t => {
  const blocked = findBlocked(on(big), big, [0, 1, 2].map(slot => ({ slot })));
  t.deepEqual(blocked && fewerReplicas(blocked).map(({ fix }) => fix.command), ['clusterctl scale shop/web=2']);
});
const huge = service({ container: { requests: resources(9_000, 64) } });
test('not no replicas', offers, fewerReplicas, on(huge), huge, []);

const gang = service({ placement: { isGang: true }, container: { requests: resources(1_500, 64) } });
test('no gang any more', offers, withoutGang, on(gang), gang, ['services.web.placement.gang: false']);

const stored = service({ replicas: 1, container: { requests: resources(9_000, 64), volumes: [{ kind: 'volume', source: 'data', target: '/data', readOnly: true }, { kind: 'tmpfs', target: '/t', sizeBytes: 4_096 }] } });
test('without a volume', offers, withoutVolumes, on(stored), stored, ['services.web.volumes: [{ type: tmpfs, target: "/t", size: 4096 }]']);
