/**
 * What all of `work` resolves to, once none of it goes on: unlike Promise.all, which leaves the others running when one fails.
 *
 * @throws what the first one in the list that failed threw
 */
export async function allEnded<Work extends readonly Promise<unknown>[]>(work: readonly [...Work]): Promise<{ -readonly [Index in keyof Work]: Awaited<Work[Index]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}
