/** Whether something still holds on to an object: what is bounded by design is tested by what can be collected, not by how large the process is. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects all that nobody holds, and waits until what was only on the stack is let go. Source: V8 flags, --expose-gc */
export async function collect(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round += 1) {
    await new Promise(resolve => { setImmediate(resolve); });
    gc();
  }
}

/** How many of the objects are still held by somebody. */
export async function heldOf(objects: readonly WeakRef<object>[]): Promise<number> {
  await collect();
  return objects.filter(object => object.deref() !== undefined).length;
}
