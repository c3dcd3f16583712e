import { fc } from '../../../support/property.ts';
import { namespaceCodec, namespaceViewCodec, putNamespaceCodec } from '#codec/namespace-codec.ts';
import * as control from '#gen/gantry/v1/control.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import { SECURITY_PROFILES } from '#model/service.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { namespace, namespaceView } from '../../../support/wire-arbitraries.ts';

testRoundTrip('namespace', namespaceCodec, wire.Namespace, namespace);
testRoundTrip('namespace view', namespaceViewCodec, control.NamespaceView, namespaceView);
testRoundTrip('put namespace', putNamespaceCodec, control.PutNamespaceRequest, fc.record(
  { requestId: fc.string(), name: fc.string(), profile: fc.constantFrom(...SECURITY_PROFILES), bindPrefixes: fc.array(fc.string(), { maxLength: 3 }) },
  { requiredKeys: ['requestId', 'name'] },
));
