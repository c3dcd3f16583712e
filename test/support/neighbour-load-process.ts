/**
 * Requests at a steady rate, in a process of its own, so that what the test does meanwhile is not measured:
 * `neighbour-load-process URL PER_SECOND`. For each line `COUNT` on stdin it sends that many requests and prints
 * `{"failures": [REASON...], "timesMs": [sorted...]}`. A request that fails counts with the time that it took.
 */
import { get } from 'node:http';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const REQUEST_LIMIT_MS = 5_000;
const [, , url = '', perSecond = '100'] = process.argv;

/** Undefined: 200. */
async function failureOf(): Promise<string | undefined> {
  return await new Promise(resolve => {
    const request = get(url, { agent: false, timeout: REQUEST_LIMIT_MS }, response => {
      response.resume().on('error', error => { resolve(error.message); });
      response.on('end', () => { resolve(response.statusCode === 200 ? undefined : `status ${String(response.statusCode)}`); });
    });
    request.on('timeout', () => { request.destroy(new Error(`no answer within ${String(REQUEST_LIMIT_MS)} ms`)); });
    request.on('error', error => { resolve(error.message); });
  });
}

async function timed(): Promise<{ readonly ms: number; readonly failure: string | undefined }> {
  const startMs = performance.now();
  const failure = await failureOf();
  return { ms: performance.now() - startMs, failure };
}

async function round(count: number): Promise<{ readonly failures: readonly string[]; readonly timesMs: readonly number[] }> {
  const startMs = performance.now();
  const open: ReturnType<typeof timed>[] = [];
  while (open.length < count) {
    // None waits for the answer of another.
    const due = Math.min(count, 1 + Math.floor((performance.now() - startMs) * Number(perSecond) / 1_000));
    while (open.length < due) open.push(timed());
    await sleep(1_000 / Number(perSecond));
  }
  const all = await Promise.all(open);
  return { failures: all.flatMap(one => one.failure ?? []), timesMs: all.map(one => one.ms).sort((one, other) => one - other) };
}

// The client of a service is on another machine: what runs on the node takes no processor from it.
setPriority(-10);
for await (const line of createInterface(process.stdin)) {
  console.log(JSON.stringify(await round(Number(line))));
}
