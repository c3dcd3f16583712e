import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import type { Peer } from '#model/ports.ts';
import type { SessionRefusal } from '#model/session.ts';
import { judgeInstance } from '../../../../controller/api/instance-rules.ts';

const node = parseNodeId('n1');
const peer: Peer = { role: 'node', name: 'n1', address: '10.0.0.2', certifiedAtMs: 5_000 };
type Known = Parameters<typeof judgeInstance>[2];
const session = (instanceNonce: string): NonNullable<Known['session']> => ({ value: { node, sessionId: 's', controllerId: 'c1', openedAtMs: 0, instanceNonce }, modRevision: 70 });
const presented = (previousNonce: string, nextNonce: string, knownRevision = 60): Parameters<typeof judgeInstance>[0] => ({ node, previousNonce, nextNonce, knownRevision });

const ROWS: readonly (readonly [string, Parameters<typeof judgeInstance>[0], Known, SessionRefusal['code'] | undefined])[] = [
  ['a node that nobody knows', presented('', 'a'), {}, undefined],
  ['a session record that somebody deleted', presented('a', 'b'), {}, undefined],
  ['the instance of last time', presented('a', 'b'), { session: session('a') }, undefined],
  ['an answer that was lost', presented('a', 'b'), { session: session('b') }, undefined],
  ['an agent without nonces at a record without one', presented('', ''), { session: session('') }, undefined],
  ['a copy of an older state', presented('a', 'x'), { session: session('b') }, 'PERMISSION_DENIED'],
  ['a state that was lost', presented('', 'x'), { session: session('b') }, 'PERMISSION_DENIED'],
  ['a new instance after a join', presented('', 'x'), { session: session('') }, undefined],
  ['the instance before the join', presented('b', 'c'), { session: session('') }, 'PERMISSION_DENIED'],
  ['a record that a backup brought back', presented('c', 'd', 71), { session: session('b') }, undefined],
  ['a copy that was told of its own registration last', presented('a', 'x', 70), { session: session('b') }, 'PERMISSION_DENIED'],
  ['a certificate from before the removal', presented('a', 'b'), { removed: { node, removedAtMs: 5_000 } }, 'FAILED_PRECONDITION'],
  ['a certificate from after the removal', presented('', 'b'), { removed: { node, removedAtMs: 4_999 } }, undefined],
];

for (const [what, registration, known, code] of ROWS) {
  test(`${what}: ${code ?? 'accepted'}`, t => {
    t.is(judgeInstance(registration, peer, known)?.code, code);
  });
}

test('a certificate without a date is older than any removal', t => {
  t.is(judgeInstance(presented('', 'a'), { role: 'node', name: 'n1', address: '' }, { removed: { node, removedAtMs: 0 } })?.code, 'FAILED_PRECONDITION');
});
