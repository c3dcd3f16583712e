import test from 'ava';
import { companionPath, containersOf, describeCompanion, requestsOf } from '#model/companion.ts';
import type { CompanionSpec } from '#model/service.ts';
import { container, resources } from '../../../support/builders.ts';

function companion(role: CompanionSpec['role'], milliCpu: number, memoryMib: number, name = 'x'): CompanionSpec {
  return { name, role, container: container({ requests: resources(milliCpu, memoryMib) }) };
}

const main = container({ requests: resources(100, 100) });

const asks = test.macro({
  exec(t, companions: readonly CompanionSpec[], milliCpu: number, memoryMib: number) {
    t.deepEqual(requestsOf({ container: main, companions }), resources(milliCpu, memoryMib));
  },
  title: (name = '') => `requestsOf: ${name}`,
});
test('the main container alone', asks, [], 100, 100);
test('sidecars run beside it', asks, [companion('sidecar', 10, 20), companion('sidecar', 5, 5)], 115, 125);
test('a small init container needs nothing more', asks, [companion('init', 100, 100)], 100, 100);
test('a large init container is gone before the others: the larger of each counts', asks, [companion('init', 500, 10), companion('init', 20, 300), companion('sidecar', 10, 10)], 500, 300);

test('a task of one container asks for what that asks', t => { t.deepEqual(requestsOf({ container: main }), resources(100, 100)); });

test('all containers', t => { t.is(containersOf({ container: main, companions: [companion('init', 1, 1)] }).length, 2); });

test('a companion is named by its list and its place there', t => {
  const companions = [companion('init', 1, 1, 'a'), companion('init', 1, 1, 'b'), companion('sidecar', 1, 1, 'c')];
  t.deepEqual([0, 1, 2].map(index => companionPath('s', companions, index)), ['s.init_containers[0]', 's.init_containers[1]', 's.sidecars[0]']);
  t.deepEqual([1, 2].map(index => describeCompanion({ companions }, index)), ['init container b', 'sidecar c']);
});
