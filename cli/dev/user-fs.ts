/** Whose contexts file the local cluster is written to: root's, and that of the user behind sudo. */
import { chown, readFile } from 'node:fs/promises';
import path from 'node:path';

export interface HomeOwner {
  readonly environment: ReadonlyMap<string, string>;
  /** Absent: the current user. */
  readonly ids?: { readonly uid: number; readonly gid: number };
}

/** Source: sudo(8), "ENVIRONMENT": SUDO_USER; passwd(5) for the home directory. */
export async function homeOwners(environment: ReadonlyMap<string, string>): Promise<readonly HomeOwner[]> {
  const user = environment.get('SUDO_USER');
  if (user === undefined || user === 'root') {
    return [{ environment }];
  }
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find(text => text.startsWith(`${user}:`));
  const [, , uid, gid, , home] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined || home === undefined) {
    return [{ environment }];
  }
  return [{ environment }, { environment: new Map([['HOME', home]]), ids: { uid: Number(uid), gid: Number(gid) } }];
}

/** Gives a file below a home directory, and the directories made for it, to the owner. */
export async function giveFile(file: string, owner: HomeOwner): Promise<void> {
  const { ids } = owner;
  const home = owner.environment.get('HOME');
  if (ids === undefined || home === undefined) {
    return;
  }
  for (let part = file; part.startsWith(`${home}/`); part = path.dirname(part)) {
    await chown(part, ids.uid, ids.gid);
  }
}
