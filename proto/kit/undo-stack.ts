/**
 * Undoes work in progress, newest step first. Disposing runs every step, whatever fails before it, and throws one
 * AggregateError; `keep` forgets the steps, since the work is complete.
 */
export class UndoStack implements AsyncDisposable {
  #steps: { readonly what: string; readonly undo: () => Promise<void> | void }[] = [];

  push(what: string, undo: () => Promise<void> | void): void {
    this.#steps.push({ what, undo });
  }

  keep(): void {
    this.#steps = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: Error[] = [];
    for (const step of this.#steps.reverse()) {
      try {
        await step.undo();
      } catch (error) {
        failures.push(new Error(`undo ${step.what}`, { cause: error }));
      }
    }
    this.#steps = [];
    if (failures.length > 0) {
      throw new AggregateError(failures, `${String(failures.length)} steps could not be undone`);
    }
  }
}
