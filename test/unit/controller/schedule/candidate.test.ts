import test from 'ava';
import { findBlocked } from '../../../../controller/schedule/blocked.ts';
import type { Blocked } from '../../../../controller/schedule/blocked.ts';
import { distinct, helps, serviceWords } from '../../../../controller/schedule/candidate.ts';
import { node, resources, service, snapshot } from '../../../support/builders.ts';

const big = service({ container: { requests: resources(2_500, 64) } });
const state = snapshot({ nodes: [node('n1')], services: [big] });
const fix = { sentence: '', edit: { kind: 'field', path: '', value: '' } } as const;

function blockedOf(): Blocked {
  const found = findBlocked(state, big, [{ slot: 0 }, { slot: 1 }]);
  if (found === undefined) throw new Error('it fits');
  return found;
}

test('what leaves a slot without a place does not help, unless some are enough', t => {
  const blocked = blockedOf();
  t.false(helps(blocked, { fix, service: big, snapshot: state }));
  t.true(helps(blocked, { fix, service: big, snapshot: state, isPartial: true }));
  t.true(helps(blocked, { fix, service: big, snapshot: state, slots: [{ slot: 0 }] }));
});
test('a service in the words of a verb', t => {
  t.deepEqual([serviceWords(big), serviceWords({ ...big, namespace: 'prod' })], ['shop/web', '-n prod shop/web']);
});
test('another service, or other nodes', t => {
  const blocked = blockedOf();
  t.true(helps(blocked, { fix, service: service({ container: { requests: resources(2_000, 64) } }), snapshot: state }));
  t.true(helps(blocked, { fix, service: big, snapshot: snapshot({ nodes: [node('n1'), node('n2')], services: [big] }) }));
});
test('each once, in order', t => {
  t.deepEqual(distinct(['b', 'a', 'b']), ['a', 'b']);
});
