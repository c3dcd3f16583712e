import test from 'ava';
import { readContents } from '../../../../controller/api/content-flow.ts';
import type { SecretSealer } from '../../../../controller/api/ports.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { encodeSecretVersion } from '../../../../controller/store/records.ts';
import { ClusterError } from '#model/errors.ts';
import { FakeClock, T0 } from '../../../support/fake-clock.ts';
import { MemoryEtcd } from '../../../support/memory-store.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const SHA = 'a'.repeat(64);
const { signal } = new AbortController();
/** Opens what was sealed with its own key alone. */
const sealer: SecretSealer = {
  fingerprints: () => [],
  keyId: 'k1',
  seal: plain => ({ nonce: new Uint8Array(12), sealed: plain }),
  open(record) {
    if (record.keyId !== 'k1') {
      throw new ClusterError('FAILED_PRECONDITION', 'sealed with another key');
    }
    return record.sealed;
  },
};

test('a content that is gone, or that no key here opens, keeps no other content back', async t => {
  const store = new MemoryEtcd(new FakeClock()).connect();
  const secret = (name: string, keyId: string): Uint8Array => encodeSecretVersion({
    namespace: 'default', name, version: 1, keyId, nonce: new Uint8Array(12), sealed: Buffer.from(name), createdAtMs: T0,
  });
  const keyOf = (name: string): string => buildKey({ kind: 'secret', namespace: 'default', name, version: 1 });
  await store.transact([], [
    { kind: 'put', key: buildKey({ kind: 'blob', namespace: 'default', sha256: SHA }), value: Buffer.from('conf') },
    { kind: 'put', key: keyOf('mine'), value: secret('mine', 'k1') },
    { kind: 'put', key: keyOf('others'), value: secret('others', 'k2') },
  ]);
  const reference = (name: string): Parameters<typeof readContents>[0][number] => ({ kind: 'secret', key: `secret ${name}`, namespace: 'default', name, version: 1 });
  const read = await readContents(
    [{ kind: 'config', key: 'config', namespace: 'default', sha256: SHA }, reference('mine'), reference('others'), reference('gone')],
    { store, sealer, log: silentLogger }, signal);
  t.deepEqual(read.map(({ key, content }) => [key, Buffer.from(content).toString()]), [['config', 'conf'], ['secret mine', 'mine']]);
});
