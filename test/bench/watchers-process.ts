/** The clients of the bench `fleet` that watch everything. Started by watchers.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createControlClient } from '#rpc/control-client.ts';
import { answerQuestions } from './asked-process.ts';
import type { WatchersAnswer, WatchersQuestion } from './watchers.ts';

const RETRY_MS = 1_000;
const LOOK_MS = 50;

const running: number[] = [];
let [views, failures, lastFailure] = [0, 0, ''];

type WatchQuestion = Extract<WatchersQuestion, { readonly kind: 'watch' }>;

async function watchEverything(index: number, { addresses, identity }: WatchQuestion): Promise<never> {
  const turned = [...addresses.slice(index % addresses.length), ...addresses.slice(0, index % addresses.length)];
  const client = createControlClient({ controllers: turned, identity });
  for (;;) {
    try {
      for await (const view of client.watch({}, new AbortController().signal)) {
        running[index] = view.tasks.filter(({ state }) => state === 'running').length;
        views += 1;
      }
      throw new Error('the watch has ended');
    } catch (error) {
      failures += 1;
      lastFailure = error instanceof Error ? error.message : 'unknown';
    }
    await sleep(RETRY_MS);
  }
}

async function answer(question: WatchersQuestion): Promise<WatchersAnswer> {
  switch (question.kind) {
    case 'watch':
      for (let index = 0; index < question.count; index += 1) {
        running.push(0);
        void watchEverything(index, question);
      }
      return {};
    case 'see':
      while (!running.every(count => count === question.running)) await sleep(LOOK_MS);
      return {};
    case 'counts':
      return { views, failures, lastFailure, running };
  }
}

answerQuestions('watchers', answer);
