import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Registration } from '#model/session.ts';
import { isAbsent, makeDirectoryDurably, removeDurably, replaceDurably } from './task/durable-fs.ts';

export type InstanceNonces = Pick<Registration, 'previousNonce' | 'nextNonce'>;

/** Tells this agent from copies of its disk: what each registration presents. */
export interface Instance {
  /** The nonces of the next registration; the new one is on disk. */
  present(): Promise<InstanceNonces>;
  /** The controllers took what was presented last. */
  accepted(): Promise<void>;
}

const NOTHING: InstanceNonces = { previousNonce: '', nextNonce: '' };

/**
 * The instance's nonces in the config directory, beside the certificate that they belong to (reliability 4.5).
 *
 * 1. A new nonce is on disk before it is presented. 2. What was presented without an answer is presented again, after a restart too: both
 * answers are right for it. 3. Once accepted both are the same, and a new one follows. 4. Where nothing can be written, the last one is
 * presented again: a full disk is no reason to be without a controller.
 */
export class InstanceFs implements Instance {
  readonly #path: string;
  readonly #newNonce: () => string;
  #pair: InstanceNonces | undefined;

  constructor(configDir: string, newNonce: () => string) {
    this.#path = pathIn(configDir);
    this.#newNonce = newNonce;
  }

  async present(): Promise<InstanceNonces> {
    const pair = this.#pair ?? await readNonces(this.#path);
    this.#pair = pair.nextNonce === pair.previousNonce ? await this.#next(pair) : pair;
    return this.#pair;
  }

  async accepted(): Promise<void> {
    const nonce = this.#pair?.nextNonce ?? '';
    this.#pair = { previousNonce: nonce, nextNonce: nonce };
    await replaceDurably(this.#path, JSON.stringify(this.#pair)).catch(() => { /* the pair on disk is right too, by rule 2 */ });
  }

  async #next({ nextNonce: previousNonce }: InstanceNonces): Promise<InstanceNonces> {
    const next = { previousNonce, nextNonce: this.#newNonce() };
    try {
      await replaceDurably(this.#path, JSON.stringify(next));
      return next;
    } catch (error) {
      if (previousNonce === '') throw error;
      return { previousNonce, nextNonce: previousNonce };
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

async function readNonces(path: string): Promise<InstanceNonces> {
  try {
    const { previousNonce, nextNonce } = JSON.parse(await readFile(path, 'utf8')) as Partial<Record<string, unknown>>;
    return typeof previousNonce === 'string' && typeof nextNonce === 'string' ? { previousNonce, nextNonce } : NOTHING;
  } catch (error) {
    if (isAbsent(error) || error instanceof SyntaxError) {
      return NOTHING;
    }
    throw error;
  }
}
