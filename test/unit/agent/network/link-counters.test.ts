import test from 'ava';
import { parseTaskLinkCounters } from '../../../../agent/network/link-counters.ts';

const TEXT = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 5670 47 0 0 0 0 0 0 5670 47 0 0 0 0 0 0
gantryt7:1000       10    0    0    0     0          0         0     3000      30    0    0    0     0       0          0
`;

test('what the link sent, the task received', t => {
  t.deepEqual(parseTaskLinkCounters(TEXT).get('gantryt7'), { receivedBytes: 3_000, receivedPackets: 30, sentBytes: 1_000, sentPackets: 10 });
});

test('the two lines of headings are no links', t => {
  t.deepEqual([...parseTaskLinkCounters(TEXT).keys()], ['lo', 'gantryt7']);
});
