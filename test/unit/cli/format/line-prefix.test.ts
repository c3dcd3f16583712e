import test from 'ava';
import { LinePrefixer } from '../../../../cli/format/line-prefix.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

test('lines come whole, however they were cut', t => {
  const prefixer = new LinePrefixer('web | ');
  const written = ['a', 'b\nc\n\nd', '', 'e'].map(piece => text(prefixer.take(Buffer.from(piece))));
  t.deepEqual(written, ['', 'web | ab\nweb | c\nweb | \n', '', '']);
  t.is(text(prefixer.end()), 'web | de\n');
  t.is(text(prefixer.end()), '');
});

test('bytes that are no text stay as they are', t => {
  t.is(text(new LinePrefixer('').take(Uint8Array.of(0xff, 0x1b, 0x0a))), '\u00ff\u001b\n');
});
