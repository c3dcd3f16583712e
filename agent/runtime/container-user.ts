/** Who the container's first process is: the image's text says who a name is, numbers are themselves. */
import { ClusterError } from '#model/errors.ts';
import { quoted } from '#model/printable.ts';

export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, sorted. */
  readonly additionalGids: readonly number[];
  readonly home: string;
}

/** Contents of the image's /etc/passwd and /etc/group; empty where it has none. */
export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
}

/** Above this the kernel or the runtime reads a negative number, and -1 becomes root. */
const MAX_ID = 2_147_483_647;
const NUMBER = /^[0-9]+$/;

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/**
 * The user that `text` means: `uid`, `uid:gid`, `name`, `name:group`; empty is root.
 *
 * A number is never looked up as a name; its line in passwd only adds group, groups and home. A group given by the user is the
 * only one.
 *
 * @throws ClusterError INVALID_ARGUMENT for an unknown name, an id above 2147483647 or any other form
 * Source: passwd(5), group(5); OCI image-spec, config.md, "User"
 */
export function resolveUser(text: string, files: AccountFiles): ContainerUser {
  const parts = text === '' ? ['0'] : text.split(':');
  const [userText = '', groupText] = parts;
  if (parts.length > 2 || userText === '' || groupText === '') {
    throw new ClusterError('INVALID_ARGUMENT', `user ${JSON.stringify(text)} is not uid, uid:gid, name or name:group`);
  }
  const account = requireAccount(userText, files.passwd);
  return groupText === undefined
    ? { uid: account.uid, gid: account.gid, additionalGids: groupsOf(account, files.group), home: account.home }
    : { uid: account.uid, gid: findGid(groupText, files.group), additionalGids: [], home: account.home };
}

/** A number without a line in passwd is an account of that number, group 0, in no further group. */
function requireAccount(userText: string, passwd: string): Account {
  const account = findAccount(userText, passwd);
  if (account !== undefined) {
    return account;
  }
  if (!NUMBER.test(userText)) {
    throw new ClusterError('INVALID_ARGUMENT', `user ${quoted(userText)} not found in image: it is not in its /etc/passwd`);
  }
  return { name: '', uid: parseId(userText), gid: 0, home: '/' };
}

function findAccount(userText: string, passwd: string): Account | undefined {
  const wantedUid = NUMBER.test(userText) ? parseId(userText) : undefined;
  for (const fields of lines(passwd)) {
    const [name = '', , uid = '', gid = '', , home = ''] = fields;
    if (isId(uid) && isId(gid) && (wantedUid === undefined ? name === userText : Number(uid) === wantedUid)) {
      return { name, uid: Number(uid), gid: Number(gid), home: home.startsWith('/') ? home : '/' };
    }
  }
  return undefined;
}

function findGid(groupText: string, group: string): number {
  if (NUMBER.test(groupText)) {
    return parseId(groupText);
  }
  const found = lines(group).find(([name, , gid = '']) => name === groupText && isId(gid));
  if (found === undefined) {
    throw new ClusterError('INVALID_ARGUMENT', `group ${quoted(groupText)} not found in image: it is not in its /etc/group`);
  }
  return Number(found[2]);
}

function groupsOf(account: Account, group: string): readonly number[] {
  const gids = lines(group)
    .filter(([, , gid = '', members = '']) => isId(gid) && account.name !== '' && members.split(',').includes(account.name))
    .map(([, , gid]) => Number(gid));
  return [...new Set(gids)].filter(gid => gid !== account.gid).sort((left, right) => left - right);
}

function parseId(text: string): number {
  if (!isId(text)) {
    throw new ClusterError('INVALID_ARGUMENT', `id ${text} is not in 0..${String(MAX_ID)}`);
  }
  return Number(text);
}

function isId(text: string): boolean {
  return NUMBER.test(text) && text.length <= 10 && Number(text) <= MAX_ID;
}

function lines(text: string): readonly (readonly string[])[] {
  return text.split('\n').filter(line => line !== '' && !line.startsWith('#')).map(line => line.split(':'));
}
