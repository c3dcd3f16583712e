/** Memory outside of V8's heap. */
import koffi from 'koffi';
import type { KoffiFunc } from 'koffi';

const trim = koffi.load('libc.so.6').func('int malloc_trim(size_t pad)') as KoffiFunc<(pad: number) => number>;

/**
 * Gives back to the kernel what malloc keeps of freed memory: after a pull or many starts 10 to 30 MiB. It runs on a thread beside.
 *
 * Source: malloc_trim(3), "since glibc 2.8 this function frees memory in all arenas"
 */
export async function trimHeap(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    trim.async(0, error => { if (error === null) resolve(); else reject(error as Error); });
  });
}
