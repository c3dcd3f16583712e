import { fc } from '../../../support/property.ts';
import * as control from '#gen/gantry/v1/control.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import { listVolumesRequestCodec, removeVolumeRequestCodec, volumeCodec, volumeViewCodec } from '#codec/volume-codec.ts';
import { serviceId } from '#model/ids.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { nodeId, taskId, volume } from '../../../support/wire-arbitraries.ts';

const services = fc.array(fc.constantFrom(serviceId('default', 'shop', 'web'), serviceId('prod', 'shop', 'db')), { maxLength: 2 });
testRoundTrip('volume', volumeCodec, wire.Volume, volume);
testRoundTrip('volume view', volumeViewCodec, control.VolumeView, fc.record(
  { volume, users: fc.array(fc.record({ task: taskId, name: fc.string() }), { maxLength: 3 }), services, unusedSinceMs: fc.nat() }, { requiredKeys: ['volume', 'users', 'services'] },
));
testRoundTrip('list volumes', listVolumesRequestCodec, control.ListVolumesRequest, fc.record({ namespace: fc.string() }, { requiredKeys: [] }));
testRoundTrip('remove volume', removeVolumeRequestCodec, control.RemoveVolumeRequest, fc.record(
  { requestId: fc.string(), namespace: fc.string(), name: fc.string(), node: nodeId, isForced: fc.boolean() }, { requiredKeys: ['requestId', 'namespace', 'name', 'isForced'] },
));
