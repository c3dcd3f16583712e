import test from 'ava';
import { endpointChange } from '#model/endpoint-change.ts';
import type { EndpointChange } from '#model/endpoint-change.ts';
import { SessionEndpoints } from '../../../agent/session-endpoints.ts';
import { endpointService, endpointSet } from '../../support/endpoint-sets.ts';

const at = (generation: number, ...endpoints: readonly string[]): ReturnType<typeof endpointSet> => endpointSet([endpointService('web', '10.160.0.1', [], endpoints)], [], generation);
const [ONE, TWO, THREE] = [at(10, 'n1/10.128.1.2'), at(20, 'n1/10.128.1.2', 'n2/10.128.2.2'), at(30, 'n2/10.128.2.2')];

function between(before: typeof ONE, after: typeof ONE): EndpointChange {
  const change = endpointChange(before, after);
  if (change === undefined) throw new Error('no change');
  return change;
}

test('changes that follow each other bring each set into force', t => {
  const endpoints = new SessionEndpoints();
  t.deepEqual(endpoints.takeSet(ONE), { kind: 'set', set: ONE });
  t.deepEqual(endpoints.takeChange(between(ONE, TWO)), { kind: 'set', set: TWO });
  t.deepEqual(endpoints.takeChange(between(TWO, THREE)), { kind: 'set', set: THREE });
});

test('a gap is told once; changes are not looked at until the whole set is there', t => {
  const endpoints = new SessionEndpoints();
  endpoints.takeSet(ONE);
  t.deepEqual(endpoints.takeChange(between(TWO, THREE)), { kind: 'gap' });
  t.deepEqual(endpoints.takeChange(between(ONE, TWO)), { kind: 'nothing' });
  t.deepEqual(endpoints.takeSet(TWO), { kind: 'set', set: TWO });
  t.deepEqual(endpoints.takeChange(between(TWO, THREE)), { kind: 'set', set: THREE });
});

test('a change before any set is a gap', t => {
  t.deepEqual(new SessionEndpoints().takeChange(between(ONE, TWO)), { kind: 'gap' });
});

test('a set that is older than the one held is a late copy; the same one again is brought into force again', t => {
  const endpoints = new SessionEndpoints();
  endpoints.takeSet(TWO);
  t.deepEqual(endpoints.takeSet(ONE), { kind: 'nothing' });
  t.deepEqual(endpoints.takeSet(TWO), { kind: 'set', set: TWO });
  t.deepEqual(endpoints.takeChange(between(TWO, THREE)), { kind: 'set', set: THREE });
});
