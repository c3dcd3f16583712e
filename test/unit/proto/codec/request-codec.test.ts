import test from 'ava';
import { clusterSettingsCodec, joinTokenCodec, requestRecordCodec } from '#codec/request-codec.ts';
import * as stored from '#gen/gantry/v1/stored.ts';
import type { ClusterSettings, JoinTokenRecord, RequestRecord } from '#model/records.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { clusterSettings, joinToken, requestRecord } from '../../../support/wire-arbitraries.ts';

export const carried: [
  Carried<JoinTokenRecord, stored.JoinTokenRecord>, Carried<RequestRecord, stored.RequestRecord>, Carried<ClusterSettings, stored.ClusterSettings>,
] = [true, true, true];

testRoundTrip('join token', joinTokenCodec, stored.JoinTokenRecord, joinToken);
testRoundTrip('request record', requestRecordCodec, stored.RequestRecord, requestRecord);
testRoundTrip('cluster settings', clusterSettingsCodec, stored.ClusterSettings, clusterSettings);

test('a request record without an outcome is refused', t => {
  t.throws(() => requestRecordCodec.fromWire({ requestId: 'r', createdAtMs: 1, fingerprint: new Uint8Array() }), { message: 'request record.outcome is missing' });
});
