import test from 'ava';
import { parseLogLine, splitLines, TailScan } from '../../../../agent/logs/log-line.ts';

const TIME = '2026-11-24T12:56:22.758483754+00:00';
const line = (text: string): Buffer => Buffer.from(text, 'utf8');

test('a whole line keeps its newline', t => {
  const record = parseLogLine(line(`${TIME} stdout F grüße\n`));
  t.like(record, { timeText: TIME, atMs: Date.parse('2026-11-24T12:56:22.758Z'), stream: 'stdout', isPartial: false });
  t.is(Buffer.from(record?.bytes ?? []).toString('utf8'), 'grüße\n');
});
test('a part has none', t => {
  const record = parseLogLine(line(`${TIME} stderr P abc\n`));
  t.like(record, { stream: 'stderr', isPartial: true });
  t.is(Buffer.from(record?.bytes ?? []).toString('utf8'), 'abc');
});
test('an empty line is a newline', t => { t.deepEqual(parseLogLine(line(`${TIME} stdout F \n`))?.bytes, line('\n')); });
for (const torn of ['', '\n', `${TIME} stdout`, `not a time at all, but long enough to be a record\n`, `${TIME} stdxxx F abc\n`]) {
  test(`${JSON.stringify(torn.slice(0, 20))} (${String(torn.length)}) is no record`, t => { t.is(parseLogLine(line(torn)), undefined); });
}
test('lines and what follows them', t => {
  const { lines, rest } = splitLines(line('a\n\nbc\nd'));
  t.deepEqual([lines.map(String), String(rest)], [['a\n', '\n', 'bc\n'], 'd']);
});

const F = 'F'.charCodeAt(0);
const P = 'P'.charCodeAt(0);
const tails = test.macro({
  exec(t, count: number, records: readonly (readonly [number, number])[], expected: number | undefined) {
    const scan = new TailScan(count);
    scan.enter(100);
    let found: number | undefined;
    for (const [start, tag] of records) {
      found ??= scan.visit(start, tag);
    }
    t.is(found, expected);
  },
  title: (name = '') => `tail: ${name}`,
});
test('none of them starts at the end', tails, 0, [[90, F]], 100);
test('the last one', tails, 1, [[90, F], [80, F]], 90);
test('a line of parts is one line', tails, 1, [[90, F], [80, P], [70, P], [60, F]], 70);
test('a last line without newline counts', tails, 1, [[90, P], [80, F]], 90);
test('fewer than wanted', tails, 5, [[90, F], [80, F]], undefined);
