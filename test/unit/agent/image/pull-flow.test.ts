import test from 'ava';
import { MAX_IMAGE_ENTRIES } from '../../../../agent/image/image-bounds.ts';
import { pullImage } from '../../../../agent/image/pull-flow.ts';
import type { PullPorts } from '../../../../agent/image/pull-flow.ts';
import { SharedWork } from '../../../../agent/image/shared-work-flow.ts';
import type { LayerRecord } from '../../../../agent/snapshot/layer-fs.ts';
import { buildRecipe } from '../../../support/image-builder.ts';

const NEVER = new AbortController().signal;

test('23: an image whose layers are too large together is refused, each of them being within its own limits', async t => {
  const built = buildRecipe({ layers: [[{ t: 'f', n: 'a', data: 'x' }], [{ t: 'f', n: 'b', data: 'y' }]] });
  const manifest = built.served.manifests.get(built.digest);
  if (manifest === undefined) throw new Error('no manifest');
  const origins = [...built.served.blobs.keys()].map(digest => `reg/x@${digest}`);
  const pull = async (entries: number): Promise<unknown> => {
    const ports = {
      registry: {
        fetchManifest: () => Promise.resolve({ bytes: manifest.bytes, contentType: manifest.mediaType }),
        fetchBlob: (_image: unknown, { digest }: { readonly digest: string }) => Promise.resolve(Buffer.from(built.served.blobs.get(digest) ?? '')),
      },
      layers: { find: (name: string) => Promise.resolve({ diffId: name.replace('-', ':'), entries, fileBytes: 1, skippedDevices: 0, hidesLower: false, origins }), mend: () => Promise.resolve(undefined), sync: () => Promise.resolve() },
      fetching: new SharedWork<LayerRecord>(), platform: { os: 'linux', architecture: 'amd64' }, nextId: () => 'one',
    } as unknown as PullPorts;
    return await pullImage(ports, { registry: 'reg', repository: 'x', digest: built.digest }, () => undefined, NEVER).catch((error: unknown) => error);
  };
  t.like(await pull(MAX_IMAGE_ENTRIES / 2), { sizeBytes: 2 });
  t.like(await pull(MAX_IMAGE_ENTRIES / 2 + 1), { code: 'FAILED_PRECONDITION', message: `image of more than ${String(MAX_IMAGE_ENTRIES)} entries; an image has ${String(MAX_IMAGE_ENTRIES)} at most` });
});
