/**
 * Formats the input of the deadman: time of the last acknowledged heartbeat, and the time that each
 * attempt may run after it.
 */

/** Attempt that the deadman kills when its time is over. */
export interface ArmedAttempt {
  /** Id of its main container. */
  readonly id: string;
  /** Time after `heardAtMs`. */
  readonly allowedMs: number;
  /** Version of the control groups of this machine. */
  readonly version: 1 | 2;
  /** Directory of the group of the task, which contains those of all its containers. */
  readonly group: string;
}

export interface Armed {
  /** Send time of the latest acknowledged heartbeat, in ms since the boot. */
  readonly heardAtMs: number;
  readonly attempts: readonly ArmedAttempt[];
}

const LINE = /^(\S+) (\d+) ([12]) (\/.*)$/;

/**
 * Formats `heard MS`, then `ID ALLOWED_MS VERSION GROUP` per attempt, as
 * `deploy/bin/gantry-deadman` reads it.
 */
export function formatArmed({ heardAtMs, attempts }: Armed): string {
  return [`heard ${String(Math.floor(heardAtMs))}`, ...attempts.map(({ id, allowedMs, version, group }) => `${id} ${String(Math.floor(allowedMs))} ${String(version)} ${group}`), ''].join('\n');
}

/** @returns undefined for another format: then nothing is known */
export function parseArmed(text: string): Armed | undefined {
  const [first = '', ...lines] = text.split('\n');
  const heard = /^heard (\d+)$/.exec(first)?.[1];
  if (heard === undefined) {
    return undefined;
  }
  const attempts = lines.flatMap((line): readonly ArmedAttempt[] => {
    const [, id = '', allowed = '', version, group = ''] = LINE.exec(line) ?? [];
    return id === '' ? [] : [{ id, allowedMs: Number(allowed), version: version === '2' ? 2 : 1, group }];
  });
  return { heardAtMs: Number(heard), attempts };
}
