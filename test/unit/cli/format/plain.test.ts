import test from 'ava';
import { toPlain } from '../../../../cli/format/plain.ts';

test('maps are objects sorted by key, bytes are base64, all else stays', t => {
  const value = { labels: new Map([['zone', 'a'], ['arch', 'amd64']]), key: new Uint8Array([1, 2]), list: [new Map([['x', 1]]), null, undefined, 'text'], isPaused: false };
  t.is(JSON.stringify(toPlain(value)), '{"labels":{"arch":"amd64","zone":"a"},"key":"AQI=","list":[{"x":1},null,null,"text"],"isPaused":false}');
});
