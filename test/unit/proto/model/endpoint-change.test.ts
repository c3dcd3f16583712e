import test from 'ava';
import { endpointChange, foldEndpoints } from '#model/endpoint-change.ts';
import type { EndpointChange } from '#model/endpoint-change.ts';
import type { EndpointSet, PeerNode, ServiceEndpoints } from '#model/endpoints.ts';
import { parseNodeId } from '#model/ids.ts';
import { endpointService, endpointSet, port } from '../../../support/endpoint-sets.ts';
import { fc } from '../../../support/property.ts';

/** Small enough that the sets of a sequence have much in common. */
const endpoints = fc.subarray(['n1/10.128.1.2', 'n1/10.128.1.3', 'n2/10.128.2.2', '!n2/10.128.2.3', 'n3/10.128.3.2']);
const services = fc.subarray(['api', 'db', 'web']).chain(names => fc.tuple(...names.map(name => fc.record({ endpoints, published: fc.constantFrom(80, 8_080) }).map(
  ({ endpoints: of, published }): ServiceEndpoints => endpointService(name, '10.160.0.1', [port(80, { published })], of),
))));
const nodes = fc.subarray([1, 2, 3]).chain(ids => fc.tuple(...ids.map(id => fc.constantFrom('10.161.0.1', '10.161.0.2').map(
  (address): PeerNode => ({ id: parseNodeId(`n${String(id)}`), subnetIndex: id, address }),
))));
/** Sets of rising generations. */
const sequences = fc.array(fc.record({ services, nodes }), { minLength: 1, maxLength: 8 }).map(
  sets => sets.map(({ services: of, nodes: at }, index): EndpointSet => endpointSet(of, at, (index + 1) * 10)),
);

/** As a controller makes them: from the last set that said something new. */
function changesOf([first, ...others]: readonly EndpointSet[]): readonly EndpointChange[] {
  let current = first;
  return others.flatMap(next => {
    const change = current === undefined ? undefined : endpointChange(current, next);
    if (change === undefined) return [];
    current = next;
    return [change];
  });
}

test('what changed, put into what was, gives what is, for any sequence of sets', t => {
  fc.assert(fc.property(sequences, sets => {
    let held = sets[0];
    for (const change of changesOf(sets)) {
      held = held === undefined ? undefined : foldEndpoints(held, change);
    }
    const last = sets.at(-1);
    t.deepEqual({ ...held, generation: 0 }, { ...last, generation: 0 });
  }));
});

test('a change that is lost or comes twice is a gap at the next one, never a wrong set', t => {
  fc.assert(fc.property(sequences, fc.nat(), fc.boolean(), (sets, pick, isLost) => {
    const changes = changesOf(sets);
    fc.pre(changes.length > 1);
    const at = pick % (changes.length - 1);
    const told = changes.flatMap((change, index) => (index !== at ? [change] : isLost ? [] : [change, change]));
    const byGeneration = new Map(sets.map(set => [set.generation, set]));
    let held = sets[0];
    let gaps = 0;
    for (const change of told) {
      const next: EndpointSet | undefined = held === undefined ? undefined : foldEndpoints(held, change);
      gaps += next === undefined ? 1 : 0;
      held = next ?? held;
      t.deepEqual(held, byGeneration.get(held?.generation ?? 0));
    }
    t.true(gaps > 0);
  }));
});

test('only what is not as it was is in a change', t => {
  const [api, web] = [endpointService('api', '10.160.0.1', [], ['n1/10.128.1.2']), endpointService('web', '10.160.0.2', [port(80)], ['n1/10.128.1.3', 'n2/10.128.2.2'])];
  const node = (id: number): PeerNode => ({ id: parseNodeId(`n${String(id)}`), subnetIndex: id, address: '10.161.0.1' });
  const before = endpointSet([api, web], [node(1), node(2)], 5);
  const after = endpointSet([endpointService('web', '10.160.0.2', [port(80)], ['n1/10.128.1.3', 'n3/10.128.3.2'])], [node(2), node(3)], 9);
  t.deepEqual(endpointChange(before, after), {
    from: 5, generation: 9, removedServices: [api.id],
    services: [{ service: { ...web, endpoints: [after.services[0]?.endpoints[1]] }, removedTasks: [web.endpoints[1]?.task] }],
    nodes: [node(3)], removedNodes: [node(1).id],
  } as EndpointChange);
});

test('sets that say the same have no change between them, whatever their generations and objects', t => {
  const made = (generation: number): EndpointSet => endpointSet([endpointService('web', '10.160.0.2', [port(80)], ['n1/10.128.1.3'])], [], generation);
  t.is(endpointChange(made(1), made(2)), undefined);
});

test('a service that stays as it was is the same object after a change of another', t => {
  const [api, web] = [endpointService('api', '10.160.0.1', [], []), endpointService('web', '10.160.0.2', [], [])];
  const change = endpointChange(endpointSet([api], [], 1), endpointSet([api, web], [], 2));
  t.is(change === undefined ? undefined : foldEndpoints(endpointSet([api], [], 1), change)?.services[0], api);
});
