import test from 'ava';
import { boundedQueue } from '#rpc/bounded-queue.ts';

async function* numbers(count: number, failure?: Error): AsyncGenerator<number> {
  for (let number = 0; number < count; number += 1) {
    yield await Promise.resolve(number);
  }
  if (failure !== undefined) {
    throw failure;
  }
}

async function collect(source: AsyncIterable<number>): Promise<number[]> {
  const all: number[] = [];
  for await (const number of source) {
    all.push(number);
  }
  return all;
}

test('items keep their order, and the end comes after them', async t => {
  t.deepEqual(await collect(boundedQueue(numbers(50), 100)), Array.from({ length: 50 }, (_, index) => index));
});

test('a failure of the source comes after the items before it', async t => {
  const seen: number[] = [];
  await t.throwsAsync(async () => { for await (const number of boundedQueue(numbers(3, new Error('broken')), 10)) seen.push(number); }, { message: 'broken' });
  t.deepEqual(seen, [0, 1, 2]);
});

test('one item more than fits is RESOURCE_EXHAUSTED', async t => {
  const queue = boundedQueue(numbers(100), 5);
  await queue.next();
  await new Promise(resolve => { setImmediate(resolve); });
  t.like(await t.throwsAsync(collect(queue)), { code: 'RESOURCE_EXHAUSTED', message: 'reader is too slow: 5 items wait' });
});
