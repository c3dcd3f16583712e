/** An AbortController that also aborts with `outer`, for its reason, until it is disposed of. */
export interface InnerSignal extends Disposable {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

/**
 * For work that ends before `outer` aborts, or with it. AbortSignal.any gives the same, but such a signal asks all that it is made of each time it is
 * asked, and whatever begins or ends to listen to it costs as much as the work.
 */
export function innerSignal(outer: AbortSignal): InnerSignal {
  const controller = new AbortController();
  const follow = (): void => { controller.abort(outer.reason); };
  if (outer.aborted) {
    follow();
  } else {
    outer.addEventListener('abort', follow, { once: true });
  }
  return {
    signal: controller.signal,
    abort: reason => { controller.abort(reason); },
    [Symbol.dispose]: () => { outer.removeEventListener('abort', follow); },
  };
}
