import test from 'ava';
import { serviceCodec, serviceSpecCodec, serviceStatusCodec } from '#codec/service-codec.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import type { Service, ServiceStatus } from '#model/app.ts';
import type { ServiceSpec } from '#model/service.ts';
import { service as anyService } from '../../../support/builders.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { service, serviceSpec, serviceStatus } from '../../../support/wire-arbitraries.ts';

export const carried: [
  Carried<ServiceSpec, wire.ServiceSpec>, Carried<Service, wire.Service, 'id' | 'notUnderstood'>, Carried<ServiceStatus, wire.ServiceStatus>,
  Carried<ServiceStatus['rollout'], wire.ServiceStatus_Rollout>,
] = [true, true, true, true];

testRoundTrip('service spec', serviceSpecCodec, wire.ServiceSpec, serviceSpec);
testRoundTrip('service', serviceCodec, wire.Service, service);
testRoundTrip('service status', serviceStatusCodec, wire.ServiceStatus, serviceStatus);

test('a program that knows no exclusive services takes one as held: never two copies', t => {
  const toWire = (onDisconnect: ServiceSpec['onDisconnect']): wire.ServiceSpec => serviceSpecCodec.toWire({ ...anyService().spec, onDisconnect });
  const told = toWire({ kind: 'exclusive', stopAfterMs: 30_000, replaceAfterMs: 70_000 });
  t.is(told.onDisconnect?.rule?.$case, 'hold');
  t.deepEqual(serviceSpecCodec.fromWire(toWire({ kind: 'hold' })).onDisconnect, { kind: 'hold' });
});

test('a service with a kind that this program does not know names it', t => {
  const newer = { ...serviceCodec.toWire(anyService()), spec: { ...serviceSpecCodec.toWire(anyService().spec), kind: 9 as wire.ServiceKind } };
  t.deepEqual(serviceCodec.fromWire(newer).notUnderstood, ['service kind 9']);
  t.is(serviceCodec.fromWire(serviceCodec.toWire(anyService())).notUnderstood, undefined);
});

test('a service whose names are no labels is refused', t => {
  t.throws(() => serviceCodec.fromWire({ ...serviceCodec.toWire(anyService()), app: '../x' }), { instanceOf: RangeError });
});
