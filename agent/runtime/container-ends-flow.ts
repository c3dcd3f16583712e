/** Ends of containers as they come: by conmon's exit files at once, and by a look at all of them now and then. */
import type { Clock } from '#kit/clock.ts';
import { Doorbell } from '../doorbell-flow.ts';
import { watchIfPossible } from '../watch-fs.ts';
import { isContainerId } from './container-id.ts';
import type { ContainerEnd } from './ports.ts';

/** How often all are looked at besides conmon's own word: what notices a monitor that was killed. */
const SWEEP_INTERVAL_MS = 1000;

export interface EndSources {
  /** Where conmon puts a file with the name of a container that ended. */
  readonly exitDir: string;
  readonly list: () => readonly string[];
  /** Its end, where it ended or lost its monitor. */
  readonly endOf: (id: string) => Promise<ContainerEnd | undefined>;
  readonly clock: Clock;
}

/**
 * Each end once, as long as the container is listed; those that are there already come first. It ends with the signal.
 *
 * What cannot be looked at now is left to a later sweep. Nothing is lost: the end only wakes the task's loop, which looks itself and tells what it could not.
 */
export async function* containerEnds({ exitDir, list, endOf, clock }: EndSources, signal: AbortSignal): AsyncGenerator<{ readonly id: string; readonly end: ContainerEnd }> {
  const bell = new Doorbell();
  const news = new Set<string>();
  const told = new Set<string>();
  const watcher = watchIfPossible(exitDir, (_event, name) => {
    if (name !== null && isContainerId(name)) news.add(name);
    bell.ring();
  });
  // Also when nobody asks for the next end any more.
  signal.addEventListener('abort', () => { watcher?.close(); }, { once: true });
  try {
    let sweepAtMs = clock.monotonicMs();
    while (!signal.aborted) {
      const nowMs = clock.monotonicMs();
      const isSweep = nowMs >= sweepAtMs;
      if (isSweep) sweepAtMs = nowMs + SWEEP_INTERVAL_MS;
      const looked = new Set(isSweep ? listNow(list) ?? told : news);
      news.clear();
      if (isSweep) [...told].filter(one => !looked.has(one)).forEach(one => told.delete(one));
      yield* newEnds(looked, told, endOf);
      await bell.wait(sweepAtMs - clock.monotonicMs(), clock, signal).catch(() => { /* the loop's condition sees the signal */ });
    }
  } finally {
    watcher?.close();
  }
}

/** Of those that are asked for; `told` has those that were yielded and are still there. */
async function* newEnds(ids: Iterable<string>, told: Set<string>, endOf: EndSources['endOf']): AsyncGenerator<{ readonly id: string; readonly end: ContainerEnd }> {
  for (const id of ids) {
    const look = await endOf(id).then(end => ({ end }), () => undefined);
    if (look !== undefined && look.end === undefined) told.delete(id);
    if (look?.end !== undefined && !told.has(id)) {
      told.add(id);
      yield { id, end: look.end };
    }
  }
}

function listNow(list: EndSources['list']): readonly string[] | undefined {
  try {
    return list();
  } catch {
    return undefined; // the next sweep looks again
  }
}
