/** `its task` of one, `2 of 3 tasks` of several: subject of a sentence about a service. */
export function someTasks(some: number, all: number): string {
  return all === 1 ? 'its task' : `${String(some)} of ${String(all)} tasks`;
}
