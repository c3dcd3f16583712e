import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import { ImageRecords } from '../../../../agent/image/image-record-fs.ts';
import { makeStateDirectory, openStore } from '../../../support/image-fixture.ts';

const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`);

test('an image on the disk is found for the namespaces whose login brought it, and by the node itself', async t => {
  await using state = await makeStateDirectory();
  await new ImageRecords(state.path).save({ version: 1, digest: DIGEST, config: {} as never, layers: [], allLayers: [], sizeBytes: 0, grants: ['team'] });
  await using store = openStore(state.path);
  t.is((await store.find(DIGEST, 'team'))?.digest, DIGEST);
  t.is((await store.find(DIGEST))?.digest, DIGEST);
  t.is(await store.find(DIGEST, 'evil'), undefined);
});
