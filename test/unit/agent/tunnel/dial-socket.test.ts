import test from 'ava';
import { SlotDialer } from '../../../../agent/tunnel/dial-socket.ts';
import { failureWith } from '../../../support/taken-descriptors.ts';

test('F11: a connection for which no thread could be started is refused, and the next one starts another', async t => {
  const dialer = new SlotDialer();
  const never = new AbortController().signal;
  const dial = async (): Promise<unknown> => await dialer.dial('/proc/none/ns/net', 80, never);
  t.regex(String(await failureWith(0, dial)), /the container has no network: .*EMFILE/);
  await t.throwsAsync(dial(), { code: 'FAILED_PRECONDITION', message: /^the container has no network: .*ENOENT/ });
});
