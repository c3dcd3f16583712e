import type * as wire from '#gen/gantry/v1/types.ts';
import { parseDigest } from '#model/digest.ts';
import { parseTaskId } from '#model/ids.ts';
import type { LayerProgress, NodeImage, NodeImagesSpec } from '#model/node-images.ts';
import type { Codec } from './wire.ts';
import { required, WireError } from './wire.ts';

export const nodeImagesSpecCodec: Codec<NodeImagesSpec, wire.NodeImagesSpec> = {
  toWire: spec => ({ request: requestToWire(spec) }),
  fromWire: ({ request }) => requestFromWire(request),
};

export const nodeImageCodec: Codec<NodeImage, wire.NodeImage> = {
  toWire: image => image,
  fromWire: image => ({
    ...image,
    digest: parseDigest(image.digest),
    layers: image.layers.map(layer => ({ ...layer, digest: parseDigest(layer.digest) })),
    config: required(image.config, 'image.config'),
    tasks: image.tasks.map(parseTaskId),
  }),
};

export const pullProgressCodec: Codec<readonly LayerProgress[], wire.PullProgress> = {
  toWire: layers => ({ layers }),
  fromWire: ({ layers }) => layers.map(layer => ({ ...layer, digest: parseDigest(layer.digest) })),
};

function requestToWire(spec: NodeImagesSpec): NonNullable<wire.NodeImagesSpec['request']> {
  switch (spec.kind) {
    case 'list': return { $case: 'list', value: {} };
    case 'pull': return { $case: 'pull', value: spec };
    case 'remove': return { $case: 'remove', value: spec };
  }
}

function requestFromWire(request: wire.NodeImagesSpec['request']): NodeImagesSpec {
  switch (request?.$case) {
    case undefined: throw new WireError('images.request is missing');
    case 'list': return { kind: 'list' };
    case 'pull': return { kind: 'pull', ...request.value, digest: parseDigest(request.value.digest) };
    case 'remove': return { kind: 'remove', digest: parseDigest(request.value.digest) };
  }
}
