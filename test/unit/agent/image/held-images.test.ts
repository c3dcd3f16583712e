import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import { taskId } from '../../../support/builders.ts';
import { HeldImages } from '../../../../agent/image/held-images.ts';

const TOOLS = parseDigest(`sha256:${'a'.repeat(64)}`);

test('an image is held as long as anybody holds it', t => {
  const held = new HeldImages();
  const image = { digest: TOOLS, task: taskId('ta') };
  {
    using _one = held.hold(image);
    {
      using _other = held.hold(image);
      t.deepEqual(held.all(), [image, image]);
    }
    t.deepEqual(held.all(), [image]);
  }
  t.deepEqual(held.all(), []);
});
