import test from 'ava';
import { agentMessageCodec, controllerMessageCodec } from '#codec/session-codec.ts';
import * as wire from '#gen/gantry/v1/agent.ts';
import type { Heartbeat, Registered, Registration } from '#model/session.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { agentMessage, controllerMessage } from '../../../support/wire-arbitraries.ts';

export const carried: [
  Carried<Registration, wire.Registration, 'kind'>, Carried<Heartbeat, wire.Heartbeat, 'kind'>, Carried<Registered, wire.Registered, 'kind' | 'times'>,
] = [true, true, true];

testRoundTrip('agent message', agentMessageCodec, wire.SessionRequest, agentMessage);
testRoundTrip('controller message', controllerMessageCodec, wire.SessionResponse, controllerMessage);

test('a session message that says nothing is refused', t => {
  t.throws(() => agentMessageCodec.fromWire({}), { message: 'session message is empty' });
  t.throws(() => controllerMessageCodec.fromWire({}), { message: 'session message is empty' });
});
