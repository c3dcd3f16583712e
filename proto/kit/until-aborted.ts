/** The outcome of `work`, or the signal's reason as soon as it aborts: nobody waits for the work then. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) {
    return await work;
  }
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => { aborted.reject(signal.reason as Error); };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
