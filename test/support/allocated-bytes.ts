/** Bytes that a function allocates on the heap, the ones that are collected meanwhile included. */
import { Session } from 'node:inspector';
import type { HeapProfiler } from 'node:inspector';

const SAMPLE_BYTES = 4_096;

/** An estimate by sampling: within a few per cent from a megabyte on. */
export function allocatedBytes(run: () => void): number {
  const session = new Session();
  session.connect();
  let bytes = 0;
  session.post('HeapProfiler.startSampling', { samplingInterval: SAMPLE_BYTES, includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true } as HeapProfiler.StartSamplingParameterType);
  try {
    run();
  } finally {
    session.post('HeapProfiler.stopSampling', (error, result) => {
      if (error !== null) throw error;
      bytes = sizeOf(result.profile.head);
    });
    session.disconnect();
  }
  return bytes;
}

function sizeOf({ selfSize, children }: HeapProfiler.SamplingHeapProfileNode): number {
  return children.reduce((sum, child) => sum + sizeOf(child), selfSize);
}
