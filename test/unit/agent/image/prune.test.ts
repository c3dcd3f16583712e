import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import { bytesOver, imagesToKeep, imagesWithout } from '../../../../agent/image/prune.ts';

const [A, B, C] = ['a', 'b', 'c'].map(letter => parseDigest(`sha256:${letter.repeat(64)}`)) as [ReturnType<typeof parseDigest>, ReturnType<typeof parseDigest>, ReturnType<typeof parseDigest>];
const images = [{ digest: C, usedAtMs: 101, sizeBytes: 30 }, { digest: A, usedAtMs: 0, sizeBytes: 10 }, { digest: B, usedAtMs: 100, sizeBytes: 20 }];
const limits = { nowMs: 200, unusedMs: 100, wantedBytes: 0 };

test('what is named stays however old, other images for unusedMs', t => {
  t.deepEqual(imagesToKeep(images, new Set([A]), limits), new Set([A, C]));
});

test('with no time to stay, only what is named does', t => {
  t.deepEqual(imagesToKeep(images, new Set([B]), { ...limits, nowMs: 101, unusedMs: 0 }), new Set([B]));
});

test('a use in the future counts as one of now', t => {
  t.deepEqual(imagesToKeep(images, new Set(), { ...limits, nowMs: -5 }), new Set([A, B, C]));
  t.deepEqual(imagesToKeep(images, new Set([A]), { ...limits, nowMs: -5, unusedMs: 0 }), new Set([A]));
});

test('what is named stays also when it is not here yet', t => {
  t.deepEqual(imagesToKeep([], new Set([A]), { ...limits, nowMs: 0, unusedMs: 0 }), new Set([A]));
});

test('for bytes that should come free the longest unused go first, just as many as are needed', t => {
  const young = { ...limits, nowMs: 101 };
  t.deepEqual(imagesToKeep(images, new Set(), { ...young, unusedMs: 1000, wantedBytes: 1 }), new Set([B, C]));
  t.deepEqual(imagesToKeep(images, new Set(), { ...young, unusedMs: 1000, wantedBytes: 10 }), new Set([B, C]));
  t.deepEqual(imagesToKeep(images, new Set(), { ...young, unusedMs: 1000, wantedBytes: 11 }), new Set([C]));
  t.deepEqual(imagesToKeep(images, new Set([A]), { ...young, unusedMs: 1000, wantedBytes: 11 }), new Set([A, C]));
});

test('what goes for its age counts for the bytes', t => {
  t.deepEqual(imagesToKeep(images, new Set(), { ...limits, wantedBytes: 30 }), new Set([C]));
});

test('bytes over a share of the disk', t => {
  t.is(bytesOver({ totalBytes: 1000, usedBytes: 900 }, 85), 50);
  t.is(bytesOver({ totalBytes: 1000, usedBytes: 850 }, 85), 0);
  t.is(bytesOver({ totalBytes: 1000, usedBytes: 10 }, 85), 0);
});

test('without one image, the others stay, and what a task needs whose pull ends meanwhile', t => {
  t.deepEqual(imagesWithout(A, [A, B], [C]), new Set([B, C]));
});
