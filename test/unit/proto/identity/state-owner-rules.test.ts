import test from 'ava';
import { findOwnerProblem, formatStateOwner, parseStateOwner } from '#identity/state-owner-rules.ts';

const [ours, others] = ['ab'.repeat(32), 'cd'.repeat(32)];
const owner = { node: 'n1', caSha256: ours };

test('what is written is read; what says nothing is none', t => {
  t.deepEqual(parseStateOwner(formatStateOwner(owner)), owner);
  t.deepEqual(['', '{', '[]', 'null', '{"node":"n1"}', '{"node":1,"caSha256":"x"}'].map(parseStateOwner), [undefined, undefined, undefined, undefined, undefined, undefined]);
});
test('a node takes on its own state, and that of no other node or cluster', t => {
  t.is(findOwnerProblem('/s', owner, owner), undefined);
  t.regex(findOwnerProblem('/s', { ...owner, caSha256: others }, owner) ?? '', /^state directory \/s is that of node n1 of another cluster \(CA cdcdcdcdcdcd, not abababababab\).*gantry-agent leave --node n1 --state-dir \/s, and join again; to keep it, move it away.*same cluster with a new CA, delete \/s\/owner\.json alone/);
  t.regex(findOwnerProblem('/s', { ...owner, node: 'n2' }, owner) ?? '', /^state directory \/s is that of node n2, not of n1, with its containers/);
});
