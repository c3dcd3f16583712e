/** Where V8's compiled code of clusterctl is kept from one call to the next. */
import { lstatSync, mkdirSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';

/** Installations and builds whose code is kept; one has about 1 MiB. */
const MAX_KEPT = 4;
const GROUP_AND_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/**
 * A directory for this build of `program` below the user's cache directory. Undefined where there is
 * none that is safe: code in it runs as this user, so no other user may be able to write there.
 */
export function compileCacheDir(environment: ReadonlyMap<string, string>, program: string): string | undefined {
  const base = cacheHome(environment);
  if (base === undefined) {
    return undefined;
  }
  try {
    const parent = path.join(base, 'gantry', 'clusterctl');
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    if (!isOwn(realpathSync(parent))) {
      return undefined;
    }
    const dir = path.join(parent, nameOf(program));
    if (mkdirSync(dir, { recursive: true, mode: 0o700 }) !== undefined) {
      removeOldest(parent);
    }
    return dir;
  } catch {
    return undefined; // A cache only saves time: clusterctl works without one.
  }
}

function cacheHome(environment: ReadonlyMap<string, string>): string | undefined {
  const home = environment.get('HOME') ?? '';
  const dir = environment.get('XDG_CACHE_HOME') ?? (home === '' ? '' : path.join(home, '.cache'));
  return path.isAbsolute(dir) ? dir : undefined;
}

/** Whether only this user, or root, can change the directory or put another in its place. */
function isOwn(dir: string): boolean {
  const uid = process.geteuid?.();
  const { uid: owner, mode } = lstatSync(dir);
  if (owner !== uid || (mode & GROUP_AND_OTHERS_WRITE) !== 0) {
    return false;
  }
  for (let at = path.dirname(dir); ; at = path.dirname(at)) {
    const parent = lstatSync(at);
    const isShared = (parent.mode & GROUP_AND_OTHERS_WRITE) !== 0 && (parent.mode & STICKY) === 0;
    if (isShared || (parent.uid !== uid && parent.uid !== 0)) {
      return false;
    }
    if (at === path.dirname(at)) {
      return true;
    }
  }
}

/** Another for each place and each build. */
function nameOf(program: string): string {
  const build = Math.trunc(statSync(program).mtimeMs).toString(36);
  return `${path.dirname(program).replaceAll('/', '-').slice(-100)}-${build}`;
}

function removeOldest(parent: string): void {
  const kept = readdirSync(parent).map(name => ({ name, atMs: statSync(path.join(parent, name)).mtimeMs }));
  for (const { name } of kept.toSorted((left, right) => right.atMs - left.atMs).slice(MAX_KEPT)) {
    rmSync(path.join(parent, name), { recursive: true, force: true });
  }
}
