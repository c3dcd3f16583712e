import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

export interface Answer {
  readonly error?: string;
}

/** A part of a bench in a process of its own, which ends with this one. It answers each question once. */
export class AskedProcess<Question extends { readonly kind: string }, Given extends Answer> implements AsyncDisposable {
  readonly #name: string;
  readonly #child: ChildProcess;

  /** @param program  calls `answerQuestions` */
  constructor(name: string, program: string) {
    this.#name = name;
    this.#child = fork(program, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: ['--max-old-space-size=8192'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when it is so, or done. @throws Error of the process, or when it does not become so in `limitMs` */
  async ask(question: Question, limitMs = 300_000): Promise<Given> {
    const answered = Promise.withResolvers<Given>();
    const late = `the ${this.#name}: ${question.kind} did not come about in ${String(Math.round(limitMs / 1_000))} s`;
    const timer = setTimeout(() => { answered.reject(new Error(late)); }, limitMs);
    const ended = (): void => { answered.reject(new Error(`the ${this.#name} has ended`)); };
    const id = Math.random();
    const onMessage = (given: Given & { readonly id: number }): void => {
      if (given.id === id) answered.resolve(given);
    };
    this.#child.on('message', onMessage).once('exit', ended);
    try {
      this.#child.send({ id, question });
      const answer = await answered.promise;
      if (answer.error !== undefined) throw new Error(`the ${this.#name}: ${answer.error}`);
      return answer;
    } finally {
      clearTimeout(timer);
      this.#child.off('message', onMessage).off('exit', ended);
    }
  }

  /** Seconds until it is so. */
  async timed(question: Question, limitMs?: number): Promise<number> {
    const startedAt = performance.now();
    await this.ask(question, limitMs);
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

/** The other end: for the program that was started. */
export function answerQuestions(name: string, answer: (question: never) => Promise<Answer>): void {
  const failed = (error: unknown): Answer => ({ error: error instanceof Error ? error.message : `the ${name} failed` });
  const answerOne = async (question: unknown, id: number): Promise<void> => {
    process.send?.({ ...await answer(question as never).catch(failed), id });
  };
  process.on('message', ({ id, question }: { readonly id: number; readonly question: unknown }) => {
    void answerOne(question, id);
  });
  process.on('disconnect', () => { process.exit(0); });
}
