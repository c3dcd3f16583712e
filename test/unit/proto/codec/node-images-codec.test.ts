import test from 'ava';
import { fc } from '../../../support/property.ts';
import { nodeImageCodec, nodeImagesSpecCodec, pullProgressCodec } from '#codec/node-images-codec.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import type { NodeImage } from '#model/node-images.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { layerProgress, nodeImage, nodeImagesSpec } from '../../../support/wire-arbitraries.ts';

export const carried: [Carried<NodeImage, wire.NodeImage>] = [true];

testRoundTrip('question about images', nodeImagesSpecCodec, wire.NodeImagesSpec, nodeImagesSpec);
testRoundTrip('image of a node', nodeImageCodec, wire.NodeImage, nodeImage);
testRoundTrip('progress of a pull', pullProgressCodec, wire.PullProgress, fc.array(layerProgress, { maxLength: 3 }));

test('a question that asks nothing is refused', t => {
  t.throws(() => nodeImagesSpecCodec.fromWire({}), { message: 'images.request is missing' });
});

test('a digest that is none is refused', t => {
  t.throws(() => nodeImagesSpecCodec.fromWire({ request: { $case: 'remove', value: { digest: 'sha256:../x' } } }));
});
