/** Names of log files: `ATTEMPT.log`, of a companion's run `ATTEMPT-cINDEX-RUN.log`; `.1` and `.2` behind it are what was rotated. */
import type { CompanionRun } from './names.ts';

const LOG_NAME = /^([0-9]{1,9})(?:-c([0-9]{1,2})-([0-9]{1,9}))?\.log(?:\.[0-9]+)?$/;

/** Whose log it is; without `companion` the main container's. */
export interface LogName {
  readonly attempt: number;
  readonly companion?: CompanionRun;
}

export function formatLogName({ attempt, companion }: LogName): string {
  return `${String(attempt)}${companion === undefined ? '' : `-c${String(companion.index)}-${String(companion.run)}`}.log`;
}

/** undefined for what is no log. */
export function parseLogName(file: string): LogName | undefined {
  const [, attempt, index, run] = LOG_NAME.exec(file) ?? [];
  if (attempt === undefined) {
    return undefined;
  }
  return { attempt: Number(attempt), ...(index === undefined ? {} : { companion: { index: Number(index), run: Number(run) } }) };
}

/** The newest run of the same container before `current`; undefined where no log of one is left. */
export function previousLog(current: LogName, files: readonly string[]): LogName | undefined {
  const earlier = files.map(parseLogName).filter(name => name !== undefined)
    .filter(name => name.companion?.index === current.companion?.index && compareRuns(name, current) < 0);
  return earlier.toSorted(compareRuns).at(-1);
}

function compareRuns(left: LogName, right: LogName): number {
  return left.attempt - right.attempt || (left.companion?.run ?? 0) - (right.companion?.run ?? 0);
}
