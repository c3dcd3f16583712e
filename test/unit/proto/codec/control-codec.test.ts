import test from 'ava';
import { fc } from '../../../support/property.ts';
import {
  aboutNode, aboutService, stopTaskRequestCodec, applyRequestCodec, clusterStatusCodec, clusterUsageCodec, createTokenRequestCodec, doneCodec, eventFilterCodec, listSecretsRequestCodec,
  plainCodec, putSecretRequestCodec, setAvailabilityRequestCodec, setLabelsRequestCodec,
} from '#codec/control-codec.ts';
import * as wire from '#gen/gantry/v1/control.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { appSpec, controllerRecord, nodeId, usageSample } from '../../../support/wire-arbitraries.ts';

const requestId = fc.string();

testRoundTrip('apply', applyRequestCodec, wire.ApplyRequest, fc.record(
  { requestId, app: appSpec, isDryRun: fc.boolean(), expireAfterEndMs: fc.nat() }, { requiredKeys: ['requestId', 'app', 'isDryRun'] },
));
testRoundTrip('put secret', putSecretRequestCodec, wire.PutSecretRequest, fc.record({
  requestId, namespace: fc.string(), name: fc.string(), content: fc.uint8Array().map(bytes => new Uint8Array(bytes)),
}));
testRoundTrip('create token', createTokenRequestCodec, wire.CreateTokenRequest, fc.record({ requestId: fc.string(), ttlMs: fc.nat(), role: fc.constant('node' as const) }, { requiredKeys: ['ttlMs', 'role'] }));
testRoundTrip('set availability', setAvailabilityRequestCodec, wire.SetAvailabilityRequest, fc.record({
  requestId, node: nodeId, availability: fc.constantFrom('active' as const, 'cordoned' as const, 'draining' as const),
}));
testRoundTrip('set labels', setLabelsRequestCodec, wire.SetLabelsRequest, fc.record({
  requestId, node: nodeId, set: fc.array(fc.tuple(fc.string(), fc.string())).map(entries => new Map(entries)), remove: fc.array(fc.string()),
}));
testRoundTrip('cluster status', clusterStatusCodec, wire.ClusterStatusResponse, fc.record(
  { leader: fc.string(), epoch: fc.nat(), controllers: fc.array(controllerRecord), version: fc.string(), clusterId: fc.string() },
  { requiredKeys: ['epoch', 'controllers', 'version', 'clusterId'] },
));
testRoundTrip('cluster usage', clusterUsageCodec, wire.UsageResponse, fc.record({
  isNatsConnected: fc.boolean(), tasks: fc.array(fc.record({ sample: usageSample, milliCpu: fc.nat() }, { requiredKeys: ['sample'] })),
}));
testRoundTrip('event filter', eventFilterCodec, wire.EventFilter, fc.record({ object: fc.string(), sinceMs: fc.nat() }, { requiredKeys: [] }));
testRoundTrip('list secrets', listSecretsRequestCodec, wire.ListSecretsRequest, fc.record({ namespace: fc.string() }, { requiredKeys: [] }));
testRoundTrip('delete app', plainCodec<wire.DeleteAppRequest>(), wire.DeleteAppRequest, fc.record({ requestId, namespace: fc.string(), app: fc.string(), withVolumes: fc.boolean() }));

test('what is done says no more', t => {
  t.deepEqual(doneCodec.toWire(), {});
});

test('an id in a request is checked', t => {
  t.throws(() => aboutService().fromWire({ service: 'web' }), { message: /NAMESPACE\/APP\/SERVICE/ });
  t.throws(() => aboutNode().fromWire({ node: '-n' }), { message: /RFC 1123/ });
  t.throws(() => stopTaskRequestCodec.fromWire({ requestId: 'r', task: '1', graceMs: undefined }), { message: /base32/ });
  t.deepEqual(aboutNode<{ requestId: string }>().fromWire({ requestId: 'r', node: 'n1' }) as object, { requestId: 'r', node: 'n1' });
});
