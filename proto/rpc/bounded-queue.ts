import { ClusterError } from '#model/errors.ts';

/**
 * The items of `source`, read as fast as it gives them and held for a slower reader, `capacity` at most.
 *
 * @throws ClusterError RESOURCE_EXHAUSTED once an item finds the queue full; what `source` throws, after the items before
 */
export async function* boundedQueue<Item>(source: AsyncIterable<Item>, capacity: number): AsyncGenerator<Item, void, undefined> {
  const items: Item[] = [];
  const state = { isLeft: false, isFilled: false };
  let wake: () => void = () => undefined;
  const fill = async (): Promise<void> => {
    for await (const item of source) {
      if (state.isLeft) {
        return;
      }
      if (items.length >= capacity) {
        throw new ClusterError('RESOURCE_EXHAUSTED', `reader is too slow: ${String(capacity)} items wait`);
      }
      items.push(item);
      wake();
    }
  };
  const filled = fill().finally(() => { state.isFilled = true; wake(); });
  filled.catch(() => { /* thrown below, after the items before it */ });
  try {
    for (;;) {
      const item = items.shift();
      if (item !== undefined) {
        yield item;
      } else if (state.isFilled) {
        break;
      } else {
        await new Promise<void>(resolve => { wake = resolve; });
      }
    }
  } finally {
    state.isLeft = true;
  }
  await filled;
}
