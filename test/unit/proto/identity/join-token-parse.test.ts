import test from 'ava';
import { formatJoinToken, joinSecretHash, parseJoinToken } from '#identity/join-token-parse.ts';

const CA = 'a'.repeat(64);

test('a token carries its secret and the CA', t => {
  const token = formatJoinToken(new Uint8Array(32).fill(255), CA);
  t.is(token, `gantry-join-v1.__________________________________________8.${CA}`);
  t.deepEqual(parseJoinToken(token), { secret: '__________________________________________8', caSha256: CA });
});

test('the stored hash is not the secret, and differs by secret', t => {
  t.regex(joinSecretHash('a'), /^[0-9a-f]{64}$/);
  t.not(joinSecretHash('a'), joinSecretHash('b'));
});

test('a secret has 256 bits', t => {
  t.throws(() => formatJoinToken(new Uint8Array(31), CA), { instanceOf: RangeError });
});

for (const text of ['', 'gantry-join-v1.short.' + CA, `gantry-join-v2.${'a'.repeat(43)}.${CA}`, `gantry-join-v1.${'a'.repeat(43)}.${CA}\n`, `gantry-join-v1.${'a'.repeat(43)}.${CA.toUpperCase()}`]) {
  test(`${JSON.stringify(text.slice(0, 24))}... of ${String(text.length)} characters is no token, and is not repeated`, t => {
    t.like(t.throws(() => parseJoinToken(text)), { code: 'INVALID_ARGUMENT', message: 'join token is not of the form gantry-join-v1.SECRET.CA' });
  });
}
