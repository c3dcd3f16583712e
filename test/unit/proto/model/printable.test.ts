import test from 'ava';
import { printable, quoted } from '#model/printable.ts';

test('controls, bidirectional marks and lone surrogates are escaped', t => {
  t.is(printable('a\u001b[31m\n\u0000\u007f\u009b'), 'a\\u001b[31m\\u000a\\u0000\\u007f\\u009b');
  t.is(printable('sh\u202eop\u2066\u200f\ufeff'), 'sh\\u202eop\\u2066\\u200f\\ufeff');
  t.is(printable('x\ud800y'), 'x\\ud800y');
});

test('other text stays as it is', t => {
  t.is(printable('Grüße, 世界 🚀'), 'Grüße, 世界 🚀');
});

test('quoted cuts at 100 characters', t => {
  t.is(quoted('a'.repeat(100)), `'${'a'.repeat(100)}'`);
  t.is(quoted('a'.repeat(101)), `'${'a'.repeat(100)}...'`);
});
