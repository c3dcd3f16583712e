import { countOomKills, NO_OOM_KILLS } from './oom-kills.ts';
import type { Stopper } from './stop-flow.ts';
import type { TaskBook } from './task-book-flow.ts';

/** The status's word for output that a full disk did not take. */
const LOG_LINES_LOST = 'LogLinesLost';

/** What others saw of a task's running attempt: it becomes the reason in the status. News of another attempt is not heard. */
export class AttemptNews {
  readonly #book: TaskBook;
  readonly #stopper: Pick<Stopper, 'cause'>;
  #oomKills = NO_OOM_KILLS;
  /** The attempt that wrote more than it may; 0: none. */
  #overStorageAttempt = 0;

  constructor(book: TaskBook, stopper: Pick<Stopper, 'cause'>) {
    this.#book = book;
    this.#stopper = stopper;
  }

  isOverStorage(attempt: number): boolean {
    return this.#overStorageAttempt === attempt;
  }

  /** Takes one count of the attempt's processes that the kernel killed for memory. */
  oomKills(attempt: number, count: number): void {
    if (!this.#goesOn(attempt)) return;
    const { kills, isNews } = countOomKills(this.#oomKills, attempt, count);
    this.#oomKills = kills;
    if (isNews) this.#say('OOMKilledChild', `the kernel killed ${String(count)} of its processes for memory; its first process goes on`);
  }

  /** Without words: no output is lost any more. */
  lostOutput(attempt: number, message: string): void {
    const isTold = this.#book.live.reason === LOG_LINES_LOST;
    if (!this.#goesOn(attempt) || (message === '' && !isTold)) return;
    this.#say(message === '' ? '' : LOG_LINES_LOST, message);
  }

  /** Returns false for an attempt that does not run: nothing is to be ended. */
  overStorage(attempt: number, message: string): boolean {
    if (!this.#isRunning(attempt)) return false;
    this.#overStorageAttempt = attempt;
    this.#say('storage-exceeded', message);
    return true;
  }

  /** It was killed, and is still there. */
  unkillable(): void {
    if (this.#book.live.reason === 'Unkillable') return;
    this.#say('Unkillable', 'unkillable (D state): killed, but the kernel does not end its processes; its resources stay taken');
    this.#book.tell('warning', 'Unkillable', this.#book.live.message);
  }

  #isRunning(attempt: number): boolean {
    const { record } = this.#book;
    return record.step === 'running' && record.attempt === attempt;
  }

  /** It runs, and nobody stops it. */
  #goesOn(attempt: number): boolean {
    return this.#isRunning(attempt) && this.#stopper.cause === undefined;
  }

  #say(reason: string, message: string): void {
    this.#book.setLive({ ...this.#book.live, reason, message });
  }
}
