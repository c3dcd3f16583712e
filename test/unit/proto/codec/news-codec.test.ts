import test from 'ava';
import { fc } from '../../../support/property.ts';
import { decodeEventNews, decodeUsageNews, encodeEventNews, encodeUsageNews } from '#codec/news-codec.ts';
import { event, usageSample } from '../../../support/wire-arbitraries.ts';

test('news decode to what was encoded', t => {
  fc.assert(fc.property(event, usageSample, (anEvent, sample) => {
    t.deepEqual(decodeEventNews(encodeEventNews(anEvent)), anEvent);
    t.deepEqual(decodeUsageNews(encodeUsageNews(sample)), sample);
  }), { numRuns: 50 });
});

test('bytes that are no news throw', t => {
  t.throws(() => decodeUsageNews(new Uint8Array([1, 2, 3])));
  t.throws(() => decodeEventNews(new Uint8Array()));
});
