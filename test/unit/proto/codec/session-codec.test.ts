import test from 'ava';
import { agentMessageCodec, controllerMessageCodec } from '#codec/session-codec.ts';
import * as wire from '#gen/gantry/v1/agent.ts';
import type { Heartbeat, Registered, Registration } from '#model/session.ts';
import { fc } from '../../../support/property.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { agentMessage, controllerMessage } from '../../../support/wire-arbitraries.ts';

export const carried: [
  Carried<Registration, wire.Registration, 'kind'>, Carried<Heartbeat, wire.Heartbeat, 'kind'>, Carried<Registered, wire.Registered, 'kind' | 'times'>,
] = [true, true, true];

testRoundTrip('agent message', agentMessageCodec, wire.SessionRequest, agentMessage);
testRoundTrip('controller message', controllerMessageCodec, wire.SessionResponse, controllerMessage);

test('a session message that says nothing is refused', t => {
  t.throws(() => agentMessageCodec.fromWire({}), { message: 'session message is missing' });
  t.throws(() => controllerMessageCodec.fromWire({}), { message: 'session message is missing' });
});

test('an agent of before says nothing of changes of the endpoints: it takes none', t => {
  const [register] = fc.sample(agentMessage.filter(({ kind }) => kind === 'register'), { numRuns: 1, seed: 7 });
  const sent = register === undefined ? undefined : agentMessageCodec.toWire(register).message;
  if (sent?.$case !== 'register') throw new Error('no registration was drawn');
  const bytes = wire.SessionRequest.encode({ message: { $case: 'register', value: { ...sent.value, takesEndpointChanges: false } } }).finish();
  t.like(agentMessageCodec.fromWire(wire.SessionRequest.decode(bytes)), { kind: 'register', takesEndpointChanges: false });
});
