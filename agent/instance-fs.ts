import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { acceptedNames, NO_NAMES } from './instance-names.ts';
import type { InstanceNames } from './instance-names.ts';
import { isAbsent, makeDirectoryDurably, removeDurably, replaceDurably } from './task/durable-fs.ts';

/** Tells this agent from copies of its disk: what each registration presents. */
export interface Instance {
  /** What the next registration presents; the new nonce is on disk. */
  present(): Promise<InstanceNames>;
  /** The controllers of this cluster, where they say which, took what was presented last. */
  accepted(clusterId: string): Promise<void>;
}

/**
 * The instance's nonces, and the cluster that it belongs to, in the config directory, beside the certificate that they belong to (reliability 4.5).
 *
 * 1. A new nonce is on disk before it is presented. 2. What was presented without an answer is presented again, after a restart too: both
 * answers are right for it. 3. Once accepted both are the same, and a new one follows. 4. Where nothing can be written, the last one is
 * presented again: a full disk is no reason to be without a controller.
 */
export class InstanceFs implements Instance {
  readonly #path: string;
  readonly #newNonce: () => string;
  #pair: InstanceNames | undefined;

  constructor(configDir: string, newNonce: () => string) {
    this.#path = pathIn(configDir);
    this.#newNonce = newNonce;
  }

  async present(): Promise<InstanceNames> {
    const pair = this.#pair ?? await readNames(this.#path);
    this.#pair = pair.nextNonce === pair.previousNonce ? await this.#next(pair) : pair;
    return this.#pair;
  }

  async accepted(clusterId: string): Promise<void> {
    this.#pair = acceptedNames(this.#pair ?? NO_NAMES, clusterId);
    await replaceDurably(this.#path, JSON.stringify(this.#pair)).catch(() => { /* the pair on disk is right too, by rule 2 */ });
  }

  async #next({ nextNonce: previousNonce, clusterId }: InstanceNames): Promise<InstanceNames> {
    const next = { previousNonce, nextNonce: this.#newNonce(), clusterId };
    try {
      await replaceDurably(this.#path, JSON.stringify(next));
      return next;
    } catch (error) {
      if (previousNonce === '') throw error;
      return { previousNonce, nextNonce: previousNonce, clusterId };
    }
  }
}

/** A join makes another instance: what an earlier one presented is forgotten. */
export async function forgetInstance(configDir: string): Promise<void> {
  await makeDirectoryDurably(configDir);
  await removeDurably(pathIn(configDir));
}

function pathIn(configDir: string): string {
  return join(configDir, 'instance.json');
}

async function readNames(path: string): Promise<InstanceNames> {
  try {
    const { previousNonce, nextNonce, clusterId = '' } = JSON.parse(await readFile(path, 'utf8')) as Partial<Record<string, unknown>>;
    return typeof previousNonce === 'string' && typeof nextNonce === 'string' && typeof clusterId === 'string' ? { previousNonce, nextNonce, clusterId } : NO_NAMES;
  } catch (error) {
    if (isAbsent(error) || error instanceof SyntaxError) {
      return NO_NAMES;
    }
    throw error;
  }
}
