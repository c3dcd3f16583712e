import { eventCodec } from '#codec/event-codec.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import type { ClusterEvent } from '#model/event.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { event } from '../../../support/wire-arbitraries.ts';

export const carried: Carried<ClusterEvent, wire.ClusterEvent> = true;

testRoundTrip('event', eventCodec, wire.ClusterEvent, event);
