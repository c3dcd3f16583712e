import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { PrometheusClient } from '../../controller/autoscale/prometheus-client.ts';
import { freePort } from '../support/free-port.ts';
import { eventually } from '../support/dev-cluster.ts';
import { PrometheusProcess } from '../support/prometheus-process.ts';

const LIMIT_MS = 60_000;
const forever = (): AbortSignal => new AbortController().signal;

async function serverOf(t: ExecutionContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => { server.closeAllConnections(); server.close(); });
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

test('a real Prometheus answers with numbers, with nothing, and with what is wrong', async t => {
  const prometheus = await PrometheusProcess.startEmpty();
  t.teardown(async () => { await prometheus.stop(); });
  const client = new PrometheusClient(prometheus.url);
  const answer = await eventually('an answer', LIMIT_MS, async () => {
    const got = await client.query('vector(4.5)', forever());
    return got.kind === 'value' && got;
  });
  t.deepEqual(answer, { kind: 'value', value: 4.5 });
  t.deepEqual(await client.query('2 * 3', forever()), { kind: 'value', value: 6 });
  t.deepEqual(await client.query('sum(queue_length)', forever()), { kind: 'problem', message: 'the query gives no series' });
  t.deepEqual(await client.query('0 / 0', forever()), { kind: 'problem', message: 'the query gives a value that is not a number' });
  const wrong = await client.query('sum(', forever());
  t.regex(wrong.kind === 'problem' ? wrong.message : '', /^Prometheus says .*parse error/);
  const range = await client.query('up[5m]', forever());
  t.regex(range.kind === 'problem' ? range.message : '', /gives a matrix/);
});

test('the query is asked below the path of the URL', async t => {
  const url = await serverOf(t, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => { body += chunk.toString(); });
    request.on('end', () => { response.end(JSON.stringify({ status: 'success', data: { resultType: 'scalar', result: [0, String(body.length + (request.url ?? '').length)] } })); });
  });
  t.deepEqual(await new PrometheusClient(`${url}/metrics`).query('a + b', forever()), { kind: 'value', value: 'query=a+%2B+b'.length + '/metrics/api/v1/query'.length });
});

test('a server that never answers is given up on', async t => {
  const url = await serverOf(t, () => undefined);
  const answer = await new PrometheusClient(url, 50).query('up', forever());
  t.regex(answer.kind === 'problem' ? answer.message : '', /^127\.0\.0\.1:\d+ did not answer within 50 ms$/);
});

test('nobody there, another page, a redirect and an endless answer are told as problems', async t => {
  const port = await freePort();
  const nobody = await new PrometheusClient(`http://127.0.0.1:${String(port)}`).query('up', forever());
  t.regex(nobody.kind === 'problem' ? nobody.message : '', /cannot be asked: .*ECONNREFUSED/);
  const page = await serverOf(t, (_, response) => { response.end('<html>'); });
  t.deepEqual(await new PrometheusClient(page).query('up', forever()), { kind: 'problem', message: 'the answer is not one of Prometheus' });
  const elsewhere = await serverOf(t, (_, response) => { response.writeHead(302, { location: page }).end(); });
  t.is((await new PrometheusClient(elsewhere).query('up', forever())).kind, 'problem');
  const endless = await serverOf(t, (_, response) => {
    const write = (): void => { while (response.write(Buffer.alloc(65_536, ' '))); };
    response.on('drain', write);
    write();
  });
  t.deepEqual(await new PrometheusClient(endless).query('up', forever()), { kind: 'problem', message: 'the answer is too long' });
});

test('a question ends with its signal', async t => {
  const url = await serverOf(t, () => undefined);
  const abort = new AbortController();
  const asked = new PrometheusClient(url).query('up', abort.signal);
  abort.abort(new Error('over'));
  await t.throwsAsync(asked, { message: 'over' });
});
