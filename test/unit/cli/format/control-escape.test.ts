import test from 'ava';
import { ControlEscaper } from '../../../../cli/format/control-escape.ts';

/** The text after it went through in these pieces. */
function through(...pieces: readonly string[]): string {
  const escaper = new ControlEscaper();
  return Buffer.concat([...pieces.map(piece => escaper.take(Buffer.from(piece, 'latin1'))), escaper.end()]).toString('latin1');
}

const shows = test.macro({
  exec(t, text: string, expected: string) {
    t.is(through(text), expected);
    t.is(through(...text.split(/(?:)/)), expected, 'byte by byte');
  },
  title: (_, text) => `control characters: ${JSON.stringify(text)}`,
});
test(shows, 'plain\ttext\r\nnext\n', 'plain\ttext\r\nnext\n');
test(shows, '\x1b[2J\x1b]0;title\x07', '^[[2J^[]0;title^G');
test(shows, 'a\rb', 'a^Mb');
test(shows, 'a\r', 'a^M');
test(shows, '\x7f\x00', '^?^@');
test(shows, '\xc2\x9b31m', '\\u009b31m');
test(shows, 'caf\xc3\xa9 \xc2\xa9 \xc2', 'caf\xc3\xa9 \xc2\xa9 \xc2');
