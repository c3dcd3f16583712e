import test from 'ava';
import { boundedText } from '../../../../controller/store/bounded-text.ts';
import { fc } from '../../../support/property.ts';

test('a text is cut to its bytes, after whole characters', t => {
  t.is(boundedText('short', 5), 'short');
  t.is(boundedText('shorter', 6), 'sho...');
  t.is(boundedText('äääää', 8), 'ää...');
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 4, max: 40 }), (text, most) => {
    const bounded = boundedText(text, most);
    t.true(Buffer.byteLength(bounded) <= most && (bounded === text || text.startsWith(bounded.slice(0, -3))));
  }));
});
