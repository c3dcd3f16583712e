import test from 'ava';
import { containerCodec, publishedPortCodec } from '#codec/container-codec.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import type { ContainerSpec, PublishedPort } from '#model/service.ts';
import { container } from '../../../support/builders.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { containerSpec, publishedPort } from '../../../support/wire-arbitraries.ts';

export const carried: [Carried<ContainerSpec, wire.ContainerSpec>, Carried<PublishedPort, wire.PublishedPort>] = [true, true];

testRoundTrip('container', containerCodec, wire.ContainerSpec, containerSpec);
testRoundTrip('port', publishedPortCodec, wire.PublishedPort, publishedPort);

test('an empty command is not an absent one', t => {
  const carry = (spec: ContainerSpec): ContainerSpec => containerCodec.fromWire(wire.ContainerSpec.decode(wire.ContainerSpec.encode(containerCodec.toWire(spec)).finish()));
  t.deepEqual(carry(container({ command: [] })).command, []);
  t.false('command' in carry(container()));
});

test('a container without limits is refused', t => {
  t.throws(() => containerCodec.fromWire({ ...containerCodec.toWire(container()), limits: undefined }), { message: 'container.limits is missing' });
});

test('a digest that is none is refused', t => {
  t.throws(() => containerCodec.fromWire({ ...containerCodec.toWire(container()), digest: 'sha256:0' }), { instanceOf: RangeError });
});
