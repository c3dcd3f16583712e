/** Which driver makes the root file systems of this node. */
import { ClusterError } from '#model/errors.ts';
import type { SnapshotDriver } from './ports.ts';

/** The one that is best where it works first. */
export const SNAPSHOT_DRIVERS: readonly SnapshotDriver[] = ['overlay', 'btrfs', 'vfs'];

/** What the configuration may say; `auto` takes the first that works. */
export const SNAPSHOTTER_SETTINGS: readonly SnapshotterSetting[] = ['auto', ...SNAPSHOT_DRIVERS];
export type SnapshotterSetting = SnapshotDriver | 'auto';

/** Why a driver does not work here, by driver; one that is not named works. */
export type DriverProblems = ReadonlyMap<SnapshotDriver, string>;

export interface DriverChoice {
  readonly driver: SnapshotDriver;
  /** One line for the log. */
  readonly why: string;
}

/** @throws ClusterError FAILED_PRECONDITION that says why each driver in question does not work */
export function chooseDriver(setting: SnapshotterSetting, problems: DriverProblems): DriverChoice {
  const candidates = setting === 'auto' ? SNAPSHOT_DRIVERS : [setting];
  const driver = candidates.find(candidate => !problems.has(candidate));
  const tried = driver === undefined ? candidates : candidates.slice(0, candidates.indexOf(driver));
  const said = tried.map(candidate => `${candidate}: ${problems.get(candidate) ?? ''}`);
  if (driver === undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `no snapshot driver works here (${said.join('; ')})`);
  }
  const chosen = setting === 'auto' ? 'the first that works here' : 'as configured';
  return { driver, why: said.length === 0 ? chosen : `${chosen} (${said.join('; ')})` };
}
