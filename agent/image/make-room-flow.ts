import { isDiskPressure } from '../disk-pressure.ts';
import type { ImageStore } from './ports.ts';

/** Wraps an image store: a pull that finds the disk full is tried once more after `makeRoom`. */
export function withRoomMade(images: ImageStore, makeRoom: () => Promise<void>): ImageStore {
  return {
    ensure: async (request, onProgress, signal) => {
      try {
        return await images.ensure(request, onProgress, signal);
      } catch (error) {
        if (!isDiskPressure(error) || signal.aborted) throw error;
        await makeRoom();
        return await images.ensure(request, onProgress, signal);
      }
    },
    find: async (digest, namespace) => await images.find(digest, namespace),
    prune: async keep => await images.prune(keep),
  };
}
