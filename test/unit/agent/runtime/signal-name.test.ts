import test from 'ava';
import { signalName } from '../../../../agent/runtime/signal-name.ts';

for (const [text, expected] of [['TERM', 'SIGTERM'], ['SIGINT', 'SIGINT'], ['sigusr1', 'SIGUSR1'], ['winch', 'SIGWINCH']] as const) {
  test(`${text} is ${expected}`, t => { t.is(signalName(text), expected); });
}
for (const text of ['', 'SIG', 'SEGVX', '9', 'TERM\n', 'constructor']) {
  test(`${JSON.stringify(text)} is no signal`, t => { t.throws(() => signalName(text), { code: 'INVALID_ARGUMENT' }); });
}
