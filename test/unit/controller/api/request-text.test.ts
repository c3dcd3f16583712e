import test from 'ava';
import { requestText } from '../../../../controller/api/request-text.ts';

test('equal requests have one text, whatever the order of fields and of maps; absent fields do not count', t => {
  const one = { a: 1, b: new Map([['x', '1'], ['y', '2']]), c: [{ d: 1, e: 2 }], f: undefined };
  const same = { c: [{ e: 2, d: 1 }], b: new Map([['y', '2'], ['x', '1']]), a: 1 };
  t.is(requestText('scale', one), requestText('scale', same));
});

for (const [what, left, right] of [
  ['a number', { replicas: 1 }, { replicas: 2 }], ['a byte', { content: Uint8Array.of(1) }, { content: Uint8Array.of(2) }],
  ['the order of a list', { list: [1, 2] }, { list: [2, 1] }], ['a value of a map', { set: new Map([['a', '1']]) }, { set: new Map([['a', '2']]) }],
  ['a field', { graceMs: 0 }, {}], ['bytes and their text', { content: Uint8Array.of(1) }, { content: 'AQ==' }],
] as const) {
  test(`another text: ${what}`, t => { t.not(requestText('scale', left), requestText('scale', right)); });
}

test('the same fields for another rpc are another text', t => { t.not(requestText('deleteService', { service: 'a' }), requestText('restart', { service: 'a' })); });
