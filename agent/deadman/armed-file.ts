/** What the deadman reads: when a heartbeat was last acknowledged, and which attempts end how long after that. */

/** One attempt that the deadman kills when its time is over. */
export interface ArmedAttempt {
  /** Of its main container. */
  readonly id: string;
  /** After `heardAtMs`. */
  readonly allowedMs: number;
  /** Of the control groups of this machine. */
  readonly version: 1 | 2;
  /** The directory of the task's group: all its containers are below. */
  readonly group: string;
}

export interface Armed {
  /** Send time of the newest acknowledged heartbeat, in ms since the boot. */
  readonly heardAtMs: number;
  readonly attempts: readonly ArmedAttempt[];
}

const LINE = /^(\S+) (\d+) ([12]) (\/.*)$/;

/** `heard MS`, then `ID ALLOWED_MS VERSION GROUP` for each attempt, as `deploy/bin/gantry-deadman` reads it. */
export function formatArmed({ heardAtMs, attempts }: Armed): string {
  return [`heard ${String(Math.floor(heardAtMs))}`, ...attempts.map(({ id, allowedMs, version, group }) => `${id} ${String(Math.floor(allowedMs))} ${String(version)} ${group}`), ''].join('\n');
}

/** Undefined for a text of another form: nothing is known then. */
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
