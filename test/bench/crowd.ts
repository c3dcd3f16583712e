import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { KeyPair } from '#identity/certificate-authority.ts';

export type CrowdQuestion =
  | { readonly kind: 'make'; readonly address: string; readonly authority: KeyPair; readonly count: number }
  | { readonly kind: 'join' | 'is-away' | 'is-there' | 'take-round-trips' | 'counts' }
  | { readonly kind: 'has-endpoints'; readonly generation: number };

export interface CrowdAnswer {
  readonly error?: string;
  readonly roundTripsMs?: readonly number[];
  readonly sets?: number;
  readonly changes?: number;
  readonly gaps?: number;
}

const PROGRAM = path.join(import.meta.dirname, 'crowd-process.ts');

/** Nodes that are nothing but their sessions, in one process. */
export class Crowd implements AsyncDisposable {
  readonly #child: ChildProcess = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: ['--max-old-space-size=8192'] });

  /** Resolves when it is so, or done. One question at a time. @throws Error of the crowd, or when it does not become so in `limitMs` */
  async ask(question: CrowdQuestion, limitMs = 300_000): Promise<CrowdAnswer> {
    const answered = Promise.withResolvers<CrowdAnswer>();
    const timer = setTimeout(() => { answered.reject(new Error(`the crowd: ${question.kind} did not come about in ${String(limitMs / 1_000)} s`)); }, limitMs);
    const ended = (): void => { answered.reject(new Error('the crowd has ended')); };
    this.#child.once('message', answered.resolve).once('exit', ended);
    try {
      this.#child.send(question);
      const answer = await answered.promise;
      if (answer.error !== undefined) throw new Error(`the crowd: ${answer.error}`);
      return answer;
    } finally {
      clearTimeout(timer);
      this.#child.off('message', answered.resolve).off('exit', ended);
    }
  }

  /** Seconds until it is so. */
  async timed(question: CrowdQuestion): Promise<number> {
    const startedAt = performance.now();
    await this.ask(question);
    return (performance.now() - startedAt) / 1_000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await exited;
    }
  }
}
