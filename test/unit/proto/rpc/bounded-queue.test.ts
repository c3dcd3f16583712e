import test from 'ava';
import { boundedQueue } from '#rpc/bounded-queue.ts';
import type { QueueBounds } from '#rpc/bounded-queue.ts';

async function* numbers(count: number, failure?: Error): AsyncGenerator<number> {
  for (let number = 0; number < count; number += 1) {
    yield await Promise.resolve(number);
  }
  if (failure !== undefined) {
    throw failure;
  }
}

/** Each item takes 100 bytes. */
const bounds = (items: number, bytes = 1_000_000): QueueBounds<number> => ({ items, bytes, sizeOf: () => 100 });

async function collect(source: AsyncIterable<number>): Promise<number[]> {
  const all: number[] = [];
  for await (const number of source) {
    all.push(number);
  }
  return all;
}

test('items keep their order, and the end comes after them', async t => {
  t.deepEqual(await collect(boundedQueue(numbers(50), bounds(100))), Array.from({ length: 50 }, (_, index) => index));
});

test('a failure of the source comes after the items before it', async t => {
  const seen: number[] = [];
  await t.throwsAsync(async () => { for await (const number of boundedQueue(numbers(3, new Error('broken')), bounds(10))) seen.push(number); }, { message: 'broken' });
  t.deepEqual(seen, [0, 1, 2]);
});

test('one item more than fits is RESOURCE_EXHAUSTED', async t => {
  const queue = boundedQueue(numbers(100), bounds(5));
  await queue.next();
  await new Promise(resolve => { setImmediate(resolve); });
  t.like(await t.throwsAsync(collect(queue)), { code: 'RESOURCE_EXHAUSTED', message: 'reader is too slow: 5 items of 500 bytes wait' });
});

test('the bound is in bytes as well; one item fits whatever its size', async t => {
  const queue = boundedQueue(numbers(100), bounds(1_000, 250));
  await queue.next();
  await new Promise(resolve => { setImmediate(resolve); });
  t.like(await t.throwsAsync(collect(queue)), { code: 'RESOURCE_EXHAUSTED', message: 'reader is too slow: 2 items of 200 bytes wait' });
  const large = boundedQueue(numbers(1), bounds(1_000, 50));
  t.deepEqual(await collect(large), [0]);
});
