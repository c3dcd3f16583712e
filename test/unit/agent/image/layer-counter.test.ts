import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import type { LayerProgress } from '#model/node-images.ts';
import { LayerCounter } from '../../../../agent/image/layer-counter.ts';

const [A, B] = ['a', 'b'].map(letter => parseDigest(`sha256:${letter.repeat(64)}`)) as [ReturnType<typeof parseDigest>, ReturnType<typeof parseDigest>];

function counted(): { readonly counter: LayerCounter; readonly told: string[] } {
  const told: string[] = [];
  const line = (layers: readonly LayerProgress[]): string => layers.map(layer => `${String(layer.doneBytes)}/${String(layer.sizeBytes)}${layer.isComplete ? '!' : ''}`).join(' ');
  return { told, counter: new LayerCounter([{ digest: A, sizeBytes: 10 }, { digest: B, sizeBytes: 5 }], layers => { told.push(line(layers)); }) };
}

test('layers are told at once, after bytes and at their end', t => {
  const { counter, told } = counted();
  counter.add(1, 3);
  counter.complete(0);
  counter.complete(1);
  t.deepEqual(told, ['0/10 0/5', '0/10 3/5', '10/10! 3/5', '10/10! 5/5!']);
});

test('bytes past the size do not count', t => {
  const { counter, told } = counted();
  counter.add(1, 7);
  t.is(told.at(-1), '0/10 5/5');
});

test('a layer that is not there is a bug', t => {
  t.throws(() => { counted().counter.complete(2); }, { instanceOf: RangeError });
});
