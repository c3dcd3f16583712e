import { endpointSetCodec } from '#codec/endpoints-codec.ts';
import * as wire from '#gen/gantry/v1/agent.ts';
import type { Endpoint, EndpointSet, PeerNode, ServiceEndpoints } from '#model/endpoints.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { endpointSet } from '../../../support/wire-arbitraries.ts';

export const carried: [
  Carried<EndpointSet, wire.EndpointSet>, Carried<ServiceEndpoints, wire.ServiceEndpoints, 'id'>, Carried<Endpoint, wire.Endpoint>,
  Carried<PeerNode, wire.PeerNode>,
] = [true, true, true, true];

testRoundTrip('endpoint set', endpointSetCodec, wire.EndpointSet, endpointSet);
