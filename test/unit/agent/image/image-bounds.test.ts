import test from 'ava';
import { imageTooLarge, MAX_IMAGE_BYTES, MAX_IMAGE_ENTRIES } from '../../../../agent/image/image-bounds.ts';

test('23: an image is bounded in all, in bytes and in entries, however its layers are cut', t => {
  const half = { fileBytes: MAX_IMAGE_BYTES / 2, entries: MAX_IMAGE_ENTRIES / 2 };
  t.is(imageTooLarge([half, half]), undefined);
  t.regex(imageTooLarge([half, half, { fileBytes: 1, entries: 0 }]) ?? '', /bytes unpacked/);
  t.regex(imageTooLarge([half, half, { fileBytes: 0, entries: 1 }]) ?? '', /entries/);
});
