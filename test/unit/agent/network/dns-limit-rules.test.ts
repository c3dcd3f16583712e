import test from 'ava';
import { dnsLimitChains, dnsLimitSets } from '../../../../agent/network/dns-limit-rules.ts';

test('every task address has a limit of its own in each set', t => {
  const text = dnsLimitSets(['10.128.1.2', '10.128.1.3']).join('\n');
  t.is(text.split('elements = { 10.128.1.2, 10.128.1.3 }').length - 1, 2);
  // See dns-limit-rules.ts: the kernel stops to track connections once such elements were replaced.
  t.notRegex(text, /ct count/);
  t.regex(text, /limit rate over 1000\/second burst 200 packets/);
});

test('each chain looks at its limits before it accepts', t => {
  const lines = dnsLimitChains();
  for (const [index, line] of lines.entries()) {
    if (line === '  accept') t.regex(lines[index - 1] ?? '', / drop$| reject with tcp reset$/);
  }
  t.is(lines.filter(line => line === '  accept').length, 2);
});
