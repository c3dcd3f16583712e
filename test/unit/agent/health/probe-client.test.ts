import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { probeGrpc, probeHttp, probeTcp } from '../../../../agent/health/probe-client.ts';
import { failureWith } from '../../../support/taken-descriptors.ts';

test('F11: a probe that the agent had no descriptor for is no answer of the container', async t => {
  const server = createServer((_, response) => { response.end(); });
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => { server.close(); });
  const { port } = server.address() as AddressInfo;
  const never = new AbortController().signal;
  t.like(await failureWith(0, async () => await probeTcp('127.0.0.1', port, never)), { code: 'EMFILE' });
  t.like(await failureWith(0, async () => await probeHttp('127.0.0.1', { port, path: '/' }, never)), { code: 'EMFILE' });
  t.regex(String(await failureWith(0, async () => await probeGrpc('127.0.0.1', { port, service: '' }, never))), /EMFILE/);
  t.deepEqual(await probeTcp('127.0.0.1', port, never), { isSuccess: true });
  t.deepEqual(await probeHttp('127.0.0.1', { port, path: '/' }, never), { isSuccess: true });
});
