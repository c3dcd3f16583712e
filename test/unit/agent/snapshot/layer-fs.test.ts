import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import { LayerStore, layerName } from '../../../../agent/snapshot/layer-fs.ts';

const statePath = mkdtempSync(path.join(tmpdir(), 'gantry-layers-'));
test.after.always(() => { rmSync(statePath, { recursive: true }); });

test('a layer whose record is missing is fetched again, and is whole then', async t => {
  const store = new LayerStore(statePath, 'p');
  await store.open(new Set());
  const record = { diffId: parseDigest(`sha256:${'a'.repeat(64)}`), entries: 1, fileBytes: 1, skippedDevices: 0, hidesLower: false };
  const name = layerName(record.diffId);
  const commit = async (id: string): Promise<void> => {
    mkdirSync(path.join(store.stagingPath, id, 'tree'), { recursive: true });
    writeFileSync(path.join(store.stagingPath, id, 'tree/file'), '1');
    await store.commit(id, record);
  };
  await commit('one');
  t.deepEqual(await store.find(name), record);
  rmSync(path.join(statePath, 'layer-records', `${name}.json`));
  t.is(await store.find(name), undefined);
  await commit('two');
  t.deepEqual(await store.find(name), record);
  await store.settled();
});
