import test from 'ava';
import { isRefusedValue } from '../../../../agent/runtime/refused-value.ts';

/** As crun 1.21 and runc 1.1 wrote them. */
const REFUSED = [
  'write to `/proc/sys/net/core/somaxconn`: Invalid argument',
  'open `/proc/sys/net/ipv4/no_such`: No such file or directory',
  'write to `/proc/sys/net/ipv4/tcp_congestion_control`: No such file or directory',
  'setrlimit `RLIMIT_RTPRIO`: Operation not permitted',
  'time="2026-12-02T18:40:16Z" level=error msg="runc create failed: unable to start container process: error during container init: write /proc/sys/net/core/somaxconn: invalid argument"',
  'runc create failed: error during container init: error setting rlimits for ready process: error setting rlimit type 14: operation not permitted',
];

test('24: what the kernel never takes is told apart from what may work another time', t => {
  t.deepEqual(REFUSED.filter(message => !isRefusedValue(message)), []);
  t.deepEqual(['write to `/proc/sys/net/core/somaxconn`: Cannot allocate memory', 'open `/proc/1/ns/net`: No such file or directory', 'setrlimit `RLIMIT_NOFILE`: Cannot allocate memory', 'clone: Operation not permitted', ''].filter(isRefusedValue), []);
});
