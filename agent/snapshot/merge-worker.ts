/** The thread that copies layers into a tree, off the agent's main thread. Started by merge-client.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { MergeOrder } from './merge-client.ts';
import { failureOf, mergeLayers } from './tree-merge-fs.ts';
import type { MergeFailure } from './tree-merge-fs.ts';

const order = workerData as MergeOrder;

function merge(): MergeFailure | undefined {
  try {
    mergeLayers(order.layers, order.target);
    return undefined;
  } catch (error) {
    return failureOf(error);
  }
}

parentPort?.postMessage(merge());
