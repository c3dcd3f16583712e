import test from 'ava';
import { controllerRecordCodec, ledgerCodec, nodeCodec, sessionRecordCodec } from '#codec/node-codec.ts';
import * as stored from '#gen/gantry/v1/stored.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import type { ControllerRecord, Ledger, Node, SessionRecord } from '#model/node.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { controllerRecord, ledger, node, sessionRecord } from '../../../support/wire-arbitraries.ts';

export const carried: [
  Carried<Node, wire.Node>, Carried<Ledger, wire.Ledger>, Carried<SessionRecord, stored.SessionRecord>, Carried<ControllerRecord, wire.ControllerRecord>,
] = [true, true, true, true];

testRoundTrip('node', nodeCodec, wire.Node, node);
testRoundTrip('ledger', ledgerCodec, wire.Ledger, ledger);
testRoundTrip('session record', sessionRecordCodec, stored.SessionRecord, sessionRecord);
testRoundTrip('controller record', controllerRecordCodec, wire.ControllerRecord, controllerRecord);

test('a label named __proto__ is a label', t => {
  const bytes = wire.Node.encode({ ...wire.Node.decode(new Uint8Array()), labels: new Map([['__proto__', 'x']]) }).finish();
  t.deepEqual([...wire.Node.decode(bytes).labels], [['__proto__', 'x']]);
});

test('a node without capacity is refused', t => {
  const bare = { ...wire.Node.decode(new Uint8Array()), id: 'n1', availability: wire.Availability.AVAILABILITY_ACTIVE };
  t.throws(() => nodeCodec.fromWire(bare), { message: 'node.capacity is missing' });
});
