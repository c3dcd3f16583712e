import test from 'ava';
import { isDigest, parseDigest } from '#model/digest.ts';

test('sha256 and sha512 in lower-case hex, nothing else', t => {
  t.true([`sha256:${'0a'.repeat(32)}`, `sha512:${'f'.repeat(128)}`].every(isDigest));
  t.deepEqual([`sha256:${'A'.repeat(64)}`, `sha256:${'0'.repeat(63)}`, `sha512:${'0'.repeat(64)}`, `md5:${'0'.repeat(32)}`, `sha256:${'0'.repeat(64)}\n`].filter(isDigest), []);
  t.throws(() => parseDigest('x'), { instanceOf: RangeError });
});
