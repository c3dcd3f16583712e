import test from 'ava';
import { fc } from '../../../support/property.ts';
import { openTunnelCodec, serveTunnelCodec, tunnelAnswerCodec, tunnelFrameCodec, tunnelRequestCodec } from '#codec/tunnel-codec.ts';
import { ServeTunnelRequest, ServeTunnelResponse } from '#gen/gantry/v1/agent.ts';
import { OpenTunnelRequest } from '#gen/gantry/v1/control.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { tunnelFrame, tunnelRequest } from '../../../support/wire-arbitraries.ts';

const frame = fc.record({ kind: fc.constant('frame' as const), frame: tunnelFrame });

testRoundTrip('tunnel request', tunnelRequestCodec, wire.TunnelTarget, tunnelRequest);
testRoundTrip('tunnel frame', tunnelFrameCodec, wire.TunnelFrame, tunnelFrame);
testRoundTrip('client tunnel message', openTunnelCodec, OpenTunnelRequest, fc.oneof(frame, fc.record({ kind: fc.constant('open' as const), opening: tunnelRequest })));
testRoundTrip('agent tunnel message', serveTunnelCodec, ServeTunnelRequest, fc.oneof(frame, fc.record({ kind: fc.constant('open' as const), opening: fc.string() })));
testRoundTrip('tunnel answer', tunnelAnswerCodec, ServeTunnelResponse, tunnelFrame);

test('an empty frame is refused', t => {
  t.throws(() => tunnelFrameCodec.fromWire({}), { message: 'tunnel frame is empty' });
});

test('a tunnel to nothing is refused', t => {
  t.throws(() => tunnelRequestCodec.fromWire({ task: 'abcdefghijkl', node: '' }), { message: 'tunnel.spec is missing' });
});
