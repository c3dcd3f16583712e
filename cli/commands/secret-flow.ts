/** `secret create|ls|rm`. A value is read from a file or from stdin, never from an argument, and never shown. */
import { ClusterError } from '#model/errors.ts';
import { isLabel } from '#model/ids.ts';
import { quoted } from '#model/printable.ts';
import { describeLabelProblem } from '#model/app-rules.ts';
import { formatAge, formatTime } from '../format/age.ts';
import { DEFAULT_NAMESPACE, inNamespace, listNamespace, UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { printListing, say } from './print-flow.ts';
import type { Listing } from './print-flow.ts';

export interface SecretFlags {
  readonly fromFile?: string;
  readonly fromStdin?: boolean;
}

export async function createSecret(shell: Shell, name: string, flags: SecretFlags): Promise<void> {
  if (!isLabel(name)) {
    throw new ClusterError('INVALID_ARGUMENT', describeLabelProblem(name));
  }
  if ((flags.fromFile !== undefined) === (flags.fromStdin === true)) {
    throw new UsageError('give one of --from-file FILE and --from-stdin');
  }
  const content = flags.fromFile === undefined ? await shell.files.readInput() : await shell.files.read(flags.fromFile);
  const client = await shell.connect();
  const { version } = await client.putSecret({ requestId: shell.newRequestId(), namespace: shell.options.namespace ?? DEFAULT_NAMESPACE, name, content });
  await say(shell, `secret/${name} version ${String(version)}`);
}

export async function listSecrets(shell: Shell): Promise<void> {
  await printListing(shell, await secretListing(shell, []));
}

/** @param names  none: all. @throws ClusterError NOT_FOUND for a name that no secret has */
export async function secretListing(shell: Shell, names: readonly string[]): Promise<Listing> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const known = await client.listSecrets(namespace === undefined ? {} : { namespace });
  const missing = names.find(name => !known.some(secret => secret.name === name));
  if (missing !== undefined) {
    throw new ClusterError('NOT_FOUND', `no secret is named ${quoted(missing)}${inNamespace(namespace)}; see clusterctl secret ls -A`);
  }
  const secrets = known.filter(secret => names.length === 0 || names.includes(secret.name));
  return {
    items: secrets.map(({ createdAtMs, ...secret }) => ({ ...secret, createdAt: formatTime(createdAtMs) })),
    table: {
      head: ['NAMESPACE', 'NAME', 'VERSION', 'AGE'],
      rows: secrets.map(secret => [secret.namespace, secret.name, String(secret.version), formatAge(secret.createdAtMs, shell.clock.nowMs())]),
    },
    names: secrets.map(secret => `secret/${secret.name}`),
    isSingle: names.length === 1 && secrets.length === 1,
  };
}

export async function deleteSecret(shell: Shell, name: string): Promise<void> {
  const client = await shell.connect();
  await client.deleteSecret({ requestId: shell.newRequestId(), namespace: shell.options.namespace ?? DEFAULT_NAMESPACE, name });
  await say(shell, `secret/${name} deleted`);
}
