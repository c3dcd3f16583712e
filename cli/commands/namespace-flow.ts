/** `namespace ls|set|rm`: what the services of a namespace may ask for. */
import { ClusterError } from '#model/errors.ts';
import { nearestWord } from '#model/nearest-word.ts';
import type { NamespaceQuota } from '#model/namespace.ts';
import { formatQuota, parseQuota } from '#model/quota.ts';
import { SECURITY_PROFILES } from '#model/service.ts';
import type { SecurityProfile } from '#model/service.ts';
import { formatAge, formatTime } from '../format/age.ts';
import { UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { printListing, say } from './print-flow.ts';

export interface NamespaceFlags {
  readonly profile?: string;
  readonly bindPrefix?: readonly string[];
  readonly clearBindPrefixes?: boolean;
  /** `cpus=10,memory=20Gi`. */
  readonly quota?: string;
  readonly clearQuota?: boolean;
}

export async function setNamespace(shell: Shell, name: string, flags: NamespaceFlags): Promise<void> {
  const bindPrefixes = flags.clearBindPrefixes === true ? [] : flags.bindPrefix;
  if (flags.clearBindPrefixes === true && flags.bindPrefix !== undefined) {
    throw new UsageError('give one of --bind-prefix and --clear-bind-prefixes');
  }
  const quota = readQuota(flags);
  if (flags.profile === undefined && bindPrefixes === undefined && quota === undefined) {
    throw new UsageError('give --profile, --bind-prefix, --clear-bind-prefixes, --quota or --clear-quota');
  }
  const client = await shell.connect();
  await client.putNamespace({
    requestId: shell.newRequestId(), name, ...(flags.profile === undefined ? {} : { profile: parseProfile(flags.profile) }),
    ...(bindPrefixes === undefined ? {} : { bindPrefixes }),
    ...(quota === undefined ? {} : { quota }),
  });
  await say(shell, `namespace/${name} set`);
}

export async function listNamespaces(shell: Shell): Promise<void> {
  const client = await shell.connect();
  const namespaces = await client.listNamespaces();
  await printListing(shell, {
    items: namespaces.map(({ updatedAtMs, ...view }) => ({ ...view, policyChangedAt: formatTime(updatedAtMs) })),
    table: {
      head: ['NAME', 'PROFILE', 'BIND PREFIXES', 'QUOTA', 'USED', 'APPS', 'CHANGED'],
      rows: namespaces.map(view => [
        view.name, view.profile, view.bindPrefixes.join(' '), view.quota === undefined ? '' : formatQuota(view.quota), view.used === undefined ? '' : formatQuota(view.used), String(view.apps), view.updatedAtMs === undefined ? 'default' : formatAge(view.updatedAtMs, shell.clock.nowMs()),
      ]),
    },
    names: namespaces.map(({ name }) => `namespace/${name}`),
    isSingle: false,
  });
}

export async function deleteNamespace(shell: Shell, name: string): Promise<void> {
  const client = await shell.connect();
  await client.deleteNamespace({ requestId: shell.newRequestId(), name });
  await say(shell, `namespace/${name} is as any other again`);
}

function readQuota({ quota, clearQuota }: NamespaceFlags): NamespaceQuota | undefined {
  if (quota === undefined) {
    return clearQuota === true ? { devices: [] } : undefined;
  }
  if (clearQuota === true) {
    throw new UsageError('give one of --quota and --clear-quota');
  }
  const parsed = parseQuota(quota);
  if ('problem' in parsed) {
    throw new UsageError(`--quota: ${parsed.problem}`);
  }
  return parsed.value;
}

function parseProfile(text: string): SecurityProfile {
  const profile = SECURITY_PROFILES.find(one => one === text);
  if (profile === undefined) {
    const near = nearestWord(text, [...SECURITY_PROFILES]);
    throw new ClusterError('INVALID_ARGUMENT', `profile ${JSON.stringify(text)} is not one of ${SECURITY_PROFILES.join(', ')}${near === undefined ? '' : `; did you mean ${near}?`}`);
  }
  return profile;
}
