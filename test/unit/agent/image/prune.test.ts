import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import { imagesToKeep } from '../../../../agent/image/prune.ts';

const [A, B, C] = ['a', 'b', 'c'].map(letter => parseDigest(`sha256:${letter.repeat(64)}`)) as [ReturnType<typeof parseDigest>, ReturnType<typeof parseDigest>, ReturnType<typeof parseDigest>];
const images = [{ digest: A, usedAtMs: 0 }, { digest: B, usedAtMs: 100 }, { digest: C, usedAtMs: 101 }];

test('what is named stays however old, other images for unusedMs', t => {
  t.deepEqual(imagesToKeep(images, new Set([A]), { nowMs: 200, unusedMs: 100 }), new Set([A, C]));
});

test('with no time to stay, only what is named does', t => {
  t.deepEqual(imagesToKeep(images, new Set([B]), { nowMs: 101, unusedMs: 0 }), new Set([B]));
});

test('a use in the future counts as one of now', t => {
  t.deepEqual(imagesToKeep(images, new Set(), { nowMs: -5, unusedMs: 100 }), new Set([A, B, C]));
  t.deepEqual(imagesToKeep(images, new Set([A]), { nowMs: -5, unusedMs: 0 }), new Set([A]));
});

test('what is named stays also when it is not here yet', t => {
  t.deepEqual(imagesToKeep([], new Set([A]), { nowMs: 0, unusedMs: 0 }), new Set([A]));
});
