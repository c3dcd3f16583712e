import test from 'ava';
import { formatEndpoint, parseForwardedPort, parseListenAddresses } from '../../../cli/forwarded-ports.ts';

const reads = test.macro({
  exec: (t, text: string, local: number, remote: number) => { t.deepEqual(parseForwardedPort(text), { local, remote }); },
  title: (_, text: string) => `port ${text}`,
});
test(reads, '8080:80', 8080, 80);
test(reads, '80', 80, 80);
test(reads, ':80', 0, 80);
test(reads, '0:80', 0, 80);
test(reads, '65535:65535', 65_535, 65_535);

const refuses = test.macro({
  exec: (t, text: string, message: RegExp) => { t.throws(() => parseForwardedPort(text), { message }); },
  title: (_, text: string) => `no port: ${JSON.stringify(text)}`,
});
test(refuses, '', /must be 1\.\.65535/);
test(refuses, '0', /must be 1\.\.65535/);
test(refuses, '80:', /must be 1\.\.65535/);
test(refuses, '65536:80', /local port.*must be 0\.\.65535/);
test(refuses, '1:2:3', /is not \[LOCAL:\]REMOTE/);
test(refuses, 'http', /must be 1\.\.65535, got 'http'/);

test('addresses to listen on', t => {
  t.deepEqual(parseListenAddresses('localhost,::1,10.0.0.1'), ['127.0.0.1', '::1', '10.0.0.1']);
  t.throws(() => parseListenAddresses('localhost,example'), { message: /'example'.*no IP address/ });
  t.deepEqual([formatEndpoint('127.0.0.1', 80), formatEndpoint('::1', 80)], ['127.0.0.1:80', '[::1]:80']);
});
