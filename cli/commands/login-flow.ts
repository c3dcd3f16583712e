/** `login` and `logout`: what the images of a namespace are pulled with. A password comes from stdin, a prompt or docker's own files, never from an argument. */
import path from 'node:path';
import { ClusterError } from '#model/errors.ts';
import { DOCKER_HUB } from '#model/image-reference.ts';
import type { RegistryLogin } from '#model/node-images.ts';
import { findDockerLogin, parseHelperAnswer } from '../docker-config.ts';
import { askDockerHelper } from '../docker-login-process.ts';
import { formatAge, formatTime } from '../format/age.ts';
import { DEFAULT_NAMESPACE, listNamespace, UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { printListing, say } from './print-flow.ts';

export interface LoginFlags {
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly list?: boolean;
}

const ENTER = new Set([0x0d, 0x0a]);
const INTERRUPT = 0x03;
const BACKSPACE = new Set([0x08, 0x7f]);

export async function login(shell: Shell, registry: string, flags: LoginFlags): Promise<void> {
  if (flags.list === true) {
    await listLogins(shell);
    return;
  }
  const credentials = await readLogin(shell, registry, flags);
  const client = await shell.connect();
  const namespace = shell.options.namespace ?? DEFAULT_NAMESPACE;
  const { registry: known } = await client.putRegistryLogin({ requestId: shell.newRequestId(), namespace, registry, ...credentials });
  await say(shell, `namespace ${namespace} is logged in at ${known} as ${credentials.username}`);
}

export async function logout(shell: Shell, registry: string): Promise<void> {
  const client = await shell.connect();
  const namespace = shell.options.namespace ?? DEFAULT_NAMESPACE;
  const { registry: known } = await client.deleteRegistryLogin({ requestId: shell.newRequestId(), namespace, registry });
  await say(shell, `namespace ${namespace} is logged out at ${known}`);
}

async function listLogins(shell: Shell): Promise<void> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const logins = await client.listRegistryLogins(namespace === undefined ? {} : { namespace });
  await printListing(shell, {
    items: logins.map(({ createdAtMs, ...login }) => ({ ...login, createdAt: formatTime(createdAtMs) })),
    table: {
      head: ['NAMESPACE', 'REGISTRY', 'USER', 'AGE'],
      rows: logins.map(one => [one.namespace, one.registry, one.username, formatAge(one.createdAtMs, shell.clock.nowMs())]),
    },
    names: logins.map(one => `login/${one.registry}`),
    isSingle: false,
  });
}

async function readLogin(shell: Shell, registry: string, flags: LoginFlags): Promise<RegistryLogin> {
  const { username } = flags;
  if (username === undefined) {
    if (flags.passwordStdin === true) throw new UsageError('--password-stdin needs -u USER');
    return await dockerLogin(shell, registry === '' ? DOCKER_HUB : registry);
  }
  if (flags.passwordStdin === true) {
    return { username, password: Buffer.from(await shell.files.readInput()).toString('utf8').replace(/\r?\n$/, '') };
  }
  if (!shell.terminal.isInputTerminal) {
    throw new UsageError('give the password with --password-stdin; there is no terminal to ask at');
  }
  return { username, password: await askPassword(shell) };
}

/** The login that docker on this machine has. */
async function dockerLogin(shell: Shell, registry: string): Promise<RegistryLogin> {
  const directory = shell.environment.get('DOCKER_CONFIG') ?? path.join(shell.environment.get('HOME') ?? '/root', '.docker');
  const file = path.join(directory, 'config.json');
  const text = await shell.files.read(file).then(bytes => Buffer.from(bytes).toString('utf8'), () => '{}');
  const found = findDockerLogin(text, registry);
  switch (found.kind) {
    case 'login':
      return found.login;
    case 'helper':
      return parseHelperAnswer(await askDockerHelper(found.name, found.server, shell.environment), registry);
    case 'none':
      throw new ClusterError('NOT_FOUND', `docker has no login for ${registry} in ${file}; give -u USER, and the password at the prompt or with --password-stdin`);
  }
}

async function askPassword(shell: Shell): Promise<string> {
  using _raw = await shell.terminal.rawMode();
  await shell.terminal.writeError('Password: ');
  const typed: number[] = [];
  for await (const chunk of shell.terminal.input(shell.signal)) {
    for (const byte of chunk) {
      if (byte === INTERRUPT) throw new ClusterError('INVALID_ARGUMENT', 'no password was given');
      if (ENTER.has(byte)) {
        await shell.terminal.writeError('\r\n');
        return Buffer.from(typed).toString('utf8');
      }
      if (BACKSPACE.has(byte)) typed.pop();
      else typed.push(byte);
    }
  }
  throw new ClusterError('INVALID_ARGUMENT', 'no password was given');
}
