import test from 'ava';
import { formatArmed, parseArmed } from '../../../../agent/deadman/armed-file.ts';

const ATTEMPTS = [
  { id: 'gantry-abcdefabcdef-1', allowedMs: 40_000, version: 1, group: '/sys/fs/cgroup/freezer/gantry/abcdefabcdef' },
  { id: 'gantry-bbcdefabcdef-12', allowedMs: 5_000, version: 2, group: '/sys/fs/cgroup/a b/bbcdefabcdef' },
] as const;

test('the text is one line for the last acknowledged heartbeat, and one an attempt', t => {
  const text = formatArmed({ heardAtMs: 12_345_678.9, attempts: ATTEMPTS });
  t.is(text, `heard 12345678
gantry-abcdefabcdef-1 40000 1 /sys/fs/cgroup/freezer/gantry/abcdefabcdef
gantry-bbcdefabcdef-12 5000 2 /sys/fs/cgroup/a b/bbcdefabcdef
`);
  t.deepEqual(parseArmed(text), { heardAtMs: 12_345_678, attempts: ATTEMPTS });
});

test('without attempts what was heard stays known; another text says nothing', t => {
  t.deepEqual(parseArmed(formatArmed({ heardAtMs: 7, attempts: [] })), { heardAtMs: 7, attempts: [] });
  t.is(parseArmed(''), undefined);
  t.is(parseArmed('hea'), undefined);
});
