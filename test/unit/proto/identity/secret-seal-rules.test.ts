import test from 'ava';
import { openSecret, sealSecret, secretsKeyId } from '#identity/secret-seal-rules.ts';

const KEY = new Uint8Array(32).fill(1);
const NONCE = new Uint8Array(12).fill(2);
const CONTENT = new Uint8Array([104, 105]);
const CONTEXT = 'default/db/1';

test('a sealed secret opens with its key, nonce and place', t => {
  const sealed = sealSecret(KEY, NONCE, CONTENT, CONTEXT);
  t.is(sealed.length, CONTENT.length + 16);
  t.deepEqual(openSecret(KEY, NONCE, sealed, CONTEXT), CONTENT);
  t.deepEqual(openSecret(KEY, NONCE, sealSecret(KEY, NONCE, new Uint8Array(), CONTEXT), CONTEXT), new Uint8Array());
});

test('the bytes are those of AES-256-GCM', t => {
  t.is(Buffer.from(sealSecret(KEY, NONCE, CONTENT, CONTEXT)).toString('hex'), '6fbf59d87e2ba05deb1e0aa052a621663784');
});

const sealed = sealSecret(KEY, NONCE, CONTENT, CONTEXT);
const WRONG: readonly (readonly [string, () => Uint8Array])[] = [
  ['another key', () => openSecret(new Uint8Array(32), NONCE, sealed, CONTEXT)],
  ['another nonce', () => openSecret(KEY, new Uint8Array(12), sealed, CONTEXT)],
  ['another place', () => openSecret(KEY, NONCE, sealed, 'default/db/2')],
  ['a flipped bit', () => openSecret(KEY, NONCE, sealed.map((byte, at) => at === 0 ? byte ^ 1 : byte), CONTEXT)],
  ['a cut tag', () => openSecret(KEY, NONCE, sealed.subarray(0, 10), CONTEXT)],
];
for (const [what, open] of WRONG) {
  test(`${what} does not open it`, t => { t.like(t.throws(open), { code: 'FAILED_PRECONDITION' }); });
}

test('a key id is 8 hex of the key\'s hash', t => { t.is(secretsKeyId(KEY), '72cd6e84'); });
