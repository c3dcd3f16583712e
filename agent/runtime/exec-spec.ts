/** The process section of an exec: the container's own, with what the request says instead. */
import { ClusterError } from '#model/errors.ts';
import { resolveUser } from './container-user.ts';
import type { AccountFiles } from './container-user.ts';
import { mergeEnvironment } from './oci-spec.ts';
import type { OciProcess } from './oci-spec.ts';
import type { ExecRequest } from './ports.ts';

/**
 * Capabilities never exceed the container's bounding set: root gets that set, anybody else none.
 *
 * @param base  `process` of the container's config.json
 * @throws ClusterError INVALID_ARGUMENT for no command, an unknown user or a working directory that is not absolute
 */
export function execProcess(base: OciProcess, request: ExecRequest, accounts: AccountFiles): OciProcess {
  if (request.command.length === 0) {
    throw new ClusterError('INVALID_ARGUMENT', 'exec needs a command');
  }
  if (request.workingDir !== undefined && !request.workingDir.startsWith('/')) {
    throw new ClusterError('INVALID_ARGUMENT', `working directory ${request.workingDir} is not absolute`);
  }
  const user = request.user === undefined ? base.user : { ...withoutHome(resolveUser(request.user, accounts)), umask: base.user.umask };
  const held = user.uid === 0 ? base.capabilities.bounding : [];
  const own = request.environment.map(({ name, value }) => `${name}=${value}`);
  return {
    ...base,
    terminal: request.tty,
    args: request.command,
    env: mergeEnvironment([...base.env, ...(request.tty ? ['TERM=xterm'] : []), ...own]),
    cwd: request.workingDir ?? base.cwd,
    user,
    capabilities: { ...base.capabilities, effective: held, permitted: held },
    ...(request.size === undefined ? {} : { consoleSize: { width: request.size.columns, height: request.size.rows } }),
  };
}

function withoutHome(user: ReturnType<typeof resolveUser>): Omit<OciProcess['user'], 'umask'> {
  return { uid: user.uid, gid: user.gid, additionalGids: [...new Set([user.gid, ...user.additionalGids])] };
}
