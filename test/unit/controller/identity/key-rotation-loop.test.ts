import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { RegistryLoginStore } from '../../../../controller/api/registry-login-store.ts';
import { createSecretApi } from '../../../../controller/api/secret-api.ts';
import type { SecretSealer } from '../../../../controller/api/ports.ts';
import { readSealer } from '../../../../controller/identity/authority-fs.ts';
import { KeyRotationLoop } from '../../../../controller/identity/key-rotation-loop.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { decodeSecretVersion } from '../../../../controller/store/records.ts';
import { MemoryReplica, OPERATOR, requestId } from '../../../support/memory-replica.ts';

const [OLD, NEW] = ['01'.repeat(32), '02'.repeat(32)] as [string, string];
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

async function sealerOf(t: ExecutionContext, ...keys: readonly string[]): Promise<SecretSealer> {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-keys-'));
  t.teardown(() => { rmSync(directory, { recursive: true }); });
  const file = path.join(directory, 'secrets.key');
  writeFileSync(file, `${keys.join('\n')}\n`);
  return await readSealer(file);
}

/** A replica with a secret and a login sealed by the old key, whose leader has these keys. */
async function start(t: ExecutionContext): Promise<{ readonly replica: MemoryReplica; readonly rotate: (sealer: SecretSealer) => Promise<void> }> {
  const replica = await MemoryReplica.start(t);
  const old = await sealerOf(t, OLD);
  await createSecretApi({ ...replica.parts, sealer: old }).putSecret({ requestId: requestId(1), namespace: 'default', name: 'key', content: text('one') }, OPERATOR);
  await replica.store.transact([], [new RegistryLoginStore({ ...replica.parts, sealer: old }).put({ namespace: 'default', registry: 'reg.test', username: 'ann', password: 'pw' })]);
  await replica.store.transact([], [{ kind: 'put', key: buildKey({ kind: 'leader' }), value: text('c1') }]);
  const epoch = replica.etcd.read(buildKey({ kind: 'leader' }))?.createRevision ?? 0;
  const { store, clock, log: logger, signal } = replica;
  return {
    replica,
    async rotate(sealer) {
      const over = new AbortController();
      const running = new KeyRotationLoop({ store, clock, logger, sealer }, { epoch, isHeld: () => true }).run(AbortSignal.any([signal, over.signal])).catch(() => undefined);
      await clock.advance(61_000);
      over.abort(new Error('over'));
      await running;
    },
  };
}
const SECRET = buildKey({ kind: 'secret', namespace: 'default', name: 'key', version: 1 });

test('the leader seals secrets and logins with the first key; then the old one is not needed', async t => {
  const { replica, rotate } = await start(t);
  await rotate(await sealerOf(t, NEW, OLD));
  const alone = await sealerOf(t, NEW);
  t.is(decodeSecretVersion(replica.etcd.read(SECRET)?.value ?? new Uint8Array()).keyId, alone.keyId);
  t.is(new TextDecoder().decode(alone.open(decodeSecretVersion(replica.etcd.read(SECRET)?.value ?? new Uint8Array()), 'default/key/1')), 'one');
  t.deepEqual(await new RegistryLoginStore({ ...replica.parts, sealer: alone }).find('default', 'reg.test', replica.signal), { username: 'ann', password: 'pw' });
});

test('what the first key sealed is not written again', async t => {
  const { replica, rotate } = await start(t);
  const both = await sealerOf(t, NEW, OLD);
  await rotate(both);
  const before = replica.etcd.etcdRevision;
  await rotate(both);
  t.is(replica.etcd.etcdRevision, before);
});

test('one that cannot be opened stays as it is, and the others are sealed all the same', async t => {
  const { replica, rotate } = await start(t);
  const lost = await sealerOf(t, '03'.repeat(32));
  await createSecretApi({ ...replica.parts, sealer: lost }).putSecret({ requestId: requestId(2), namespace: 'default', name: 'a-lost', content: text('x') }, OPERATOR);
  await rotate(await sealerOf(t, NEW, OLD));
  t.is(decodeSecretVersion(replica.etcd.read(SECRET)?.value ?? new Uint8Array()).keyId, (await sealerOf(t, NEW)).keyId);
  t.is(decodeSecretVersion(replica.etcd.read(buildKey({ kind: 'secret', namespace: 'default', name: 'a-lost', version: 1 }))?.value ?? new Uint8Array()).keyId, lost.keyId);
});

test('a repeated request is known under either key', async t => {
  const { replica } = await start(t);
  const again = createSecretApi({ ...replica.parts, sealer: await sealerOf(t, NEW, OLD) });
  t.deepEqual(await again.putSecret({ requestId: requestId(1), namespace: 'default', name: 'key', content: text('one') }, OPERATOR), { version: 1 });
});

for (const [what, lines] of [['no key', []], ['a short key', ['01']], ['upper case', ['AB'.repeat(32)]], ['nine keys', Array.from({ length: 9 }, (_, index) => String(index).repeat(64))]] as const) {
  test(`a key file with ${what} is refused`, async t => {
    t.like(await t.throwsAsync(sealerOf(t, ...lines), { message: /is not a secrets key: 1 to 8 lines of 64 hex digits/ }), { code: 'FAILED_PRECONDITION' });
  });
}
