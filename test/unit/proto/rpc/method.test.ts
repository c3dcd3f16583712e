import test from 'ava';
import * as wire from '#gen/gantry/v1/control.ts';
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import { CONTROL } from '#rpc/control-methods.ts';

test('a request with an enum value of a newer program is refused by name, and changes nothing', t => {
  const bytes = CONTROL.setAvailability.encodeRequest({ requestId: 'a', node: parseNodeId('n1'), availability: 'active' });
  const request = wire.SetAvailabilityRequest.decode(bytes);
  const newer = Buffer.from(wire.SetAvailabilityRequest.encode({ ...request, availability: 77 as never }).finish());
  const error = t.throws(() => CONTROL.setAvailability.decodeRequest(newer), { instanceOf: ClusterError });
  t.like(error, { code: 'INVALID_ARGUMENT', message: 'invalid message: availability 77 is not known here: the caller is of a newer version; upgrade the controllers' });
});
