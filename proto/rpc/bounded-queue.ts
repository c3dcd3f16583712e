import { ClusterError } from '#model/errors.ts';

export interface QueueBounds<Item> {
  readonly items: number;
  readonly bytes: number;
  /** About how much memory an item takes. */
  readonly sizeOf: (item: Item) => number;
}

/**
 * The items of `source`, read as fast as it gives them and held for a slower reader within `bounds`; one item always fits.
 *
 * @throws ClusterError RESOURCE_EXHAUSTED once an item finds the queue full; what `source` throws, after the items before
 */
export async function* boundedQueue<Item>(source: AsyncIterable<Item>, bounds: QueueBounds<Item>): AsyncGenerator<Item, void, undefined> {
  const items: Item[] = [];
  let bytes = 0;
  const state = { isLeft: false, isFilled: false };
  let wake: () => void = () => undefined;
  const fill = async (): Promise<void> => {
    for await (const item of source) {
      if (state.isLeft) {
        return;
      }
      const size = bounds.sizeOf(item);
      if (items.length >= bounds.items || (items.length > 0 && bytes + size > bounds.bytes)) {
        throw new ClusterError('RESOURCE_EXHAUSTED', `reader is too slow: ${String(items.length)} items of ${String(bytes)} bytes wait`);
      }
      items.push(item);
      bytes += size;
      wake();
    }
  };
  const filled = fill().finally(() => { state.isFilled = true; wake(); });
  filled.catch(() => { /* thrown below, after the items before it */ });
  try {
    for (;;) {
      const item = items.shift();
      if (item !== undefined) {
        bytes -= bounds.sizeOf(item);
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
