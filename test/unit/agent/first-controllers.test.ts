import test from 'ava';
import { firstControllers } from '../../../agent/first-controllers.ts';
import type { KnownControllers } from '../../../agent/first-controllers.ts';

const joined = { controllers: ['a:7400', 'b:7400'], joinAddress: 'a:7403' };
const CASES: readonly (readonly [string, KnownControllers, readonly string[]])[] = [
  ['controllers that were given are dialed', { given: ['a:7400'] }, ['a:7400']],
  ['also where the last registration named others', { given: ['a:7400'], registered: { controllers: ['c:7400'] } }, ['a:7400']],
  ['without any, those of the last registration', { given: [], registered: { controllers: ['c:7400'] } }, ['c:7400']],
  ['without any, those of the join', { given: [], joined }, ['a:7400', 'b:7400']],
  ['a join listener opens no session: those of the join', { given: ['a:7403'], joined }, ['a:7400', 'b:7400']],
  ['of several given ones, those of the join come first', { given: ['a:7403', 'b:7403'], joined }, ['a:7400', 'b:7400', 'b:7403']],
  ['the last registration is newer than the join', { given: ['a:7403', 'b:7403'], joined, registered: { controllers: ['c:7400'], joinAddresses: ['a:7403', 'b:7403'] } }, ['c:7400']],
  ['an agent that another program joined, given join listeners', { given: ['a:7403'], registered: { controllers: ['c:7400'], joinAddresses: ['a:7403'] } }, ['c:7400']],
  ['a join that named no controller leaves those given', { given: ['a:7403'], joined: { controllers: [], joinAddress: 'a:7403' } }, ['a:7403']],
];

for (const [title, known, dialed] of CASES) {
  test(title, t => { t.deepEqual(firstControllers(known), dialed); });
}
