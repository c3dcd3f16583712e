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
  accepted(): void;
}

const NOTHING: InstanceNonces = { previousNonce: '', nextNonce: '' };

/**
 * The instance's nonces in the config directory, beside the certificate that they belong to (reliability 4.5).
 *
 * 1. A new nonce is on disk before it is presented. 2. What may have been accepted is presented again after a restart: both answers are
 * right for it. 3. Where no new one can be written, the last one is presented again.
 */
export class InstanceFs implements Instance {
  readonly #path: string;
  readonly #newNonce: () => string;
  #pair: InstanceNonces | undefined;
  #isAccepted = false;

  constructor(configDir: string, newNonce: () => string) {
    this.#path = pathIn(configDir);
    this.#newNonce = newNonce;
  }

  async present(): Promise<InstanceNonces> {
    const pair = this.#pair ?? await readNonces(this.#path);
    this.#pair = this.#isAccepted || pair.nextNonce === '' ? await this.#next(pair) : pair;
    this.#isAccepted = false;
    return this.#pair;
  }

  accepted(): void {
    this.#isAccepted = true;
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
