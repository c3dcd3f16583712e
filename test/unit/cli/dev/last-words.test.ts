import test from 'ava';
import { lastWords } from '../../../../cli/dev/last-words.ts';

const line = (level: number, msg: string, message?: string): string => JSON.stringify({ level, time: 1, msg, ...(message === undefined ? {} : { err: { message } }) });

test('the newest warning or error counts, with its cause', t => {
  t.is(lastWords([line(50, 'old'), line(60, 'agent ended', 'state directory belongs to another cluster'), line(30, 'bye'), ''].join('\n')), 'agent ended: state directory belongs to another cluster');
});
test('without one it is the last line, also one of another program', t => {
  t.is(lastWords(`${line(30, 'starts')}\nerror: unknown option --x\n`), 'error: unknown option --x');
});
test('an empty log says nothing', t => {
  t.is(lastWords('\n'), undefined);
});
