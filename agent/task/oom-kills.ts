/** What was counted, and told, of an attempt's processes that the kernel killed for memory. */
export interface OomKills {
  readonly attempt: number;
  readonly seen: number;
  readonly told: number;
}

export const NO_OOM_KILLS: OomKills = { attempt: 0, seen: 0, told: 0 };

/** After one more count; `isNews` once a second count says the same: by then the first process, if it was among them, has its end. */
export function countOomKills(before: OomKills, attempt: number, count: number): { readonly kills: OomKills; readonly isNews: boolean } {
  const isSame = before.attempt === attempt;
  const told = isSame ? before.told : 0;
  const isNews = isSame && before.seen === count && count > told;
  return { kills: { attempt, seen: count, told: isNews ? count : told }, isNews };
}
