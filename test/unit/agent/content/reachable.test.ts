import test from 'ava';
import { findUnreachable } from '../../../../agent/content/reachable.ts';
import { sha256Of } from '#registry/image-build.ts';

const a = sha256Of(Buffer.from('a'));
const b = sha256Of(Buffer.from('b'));
const images = [{ digest: a, layers: ['base', 'x'] }, { digest: b, layers: ['base', 'y'] }];

test('a layer that a kept image has stays, also when another shares it', t => {
  t.deepEqual(findUnreachable({ images, layers: ['base', 'x', 'y'], keep: new Set([a]) }), { images: [b], layers: ['y'] });
});
test('nothing kept, nothing needed', t => { t.deepEqual(findUnreachable({ images, layers: ['base', 'x', 'y'], keep: new Set() }), { images: [a, b], layers: ['base', 'x', 'y'] }); });
test('a layer of no image goes', t => { t.deepEqual(findUnreachable({ images, layers: ['stray'], keep: new Set([a, b]) }), { images: [], layers: ['stray'] }); });
test('a kept digest that is not here changes nothing', t => { t.deepEqual(findUnreachable({ images: [], layers: [], keep: new Set([a]) }), { images: [], layers: [] }); });
