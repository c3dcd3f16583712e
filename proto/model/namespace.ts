/** What the services of a namespace may ask for. Closed by default: profile `baseline` at most, no path of the machine. */
import type { AppSpec } from './app.ts';
import { companionPath } from './companion.ts';
import type { Violation } from './errors.ts';
import { quoted } from './printable.ts';
import { SECURITY_PROFILES } from './service.ts';
import type { ContainerSpec, DeviceCount, SecurityProfile } from './service.ts';

export interface NamespacePolicy {
  /** The widest profile. */
  readonly profile: SecurityProfile;
  /** Directories of the machine that services may bind, and what is in them; a node has to offer them too. Sorted. */
  readonly bindPrefixes: readonly string[];
  /** What its unfinished tasks may ask for together; absent: all there is. */
  readonly quota?: NamespaceQuota;
}

/** Absent amounts are not limited; devices sorted by name. */
export interface NamespaceQuota {
  readonly milliCpu?: number;
  readonly memoryBytes?: number;
  readonly tasks?: number;
  readonly devices: readonly DeviceCount[];
}

/** The record. Written by ControlApi alone. */
export interface Namespace extends NamespacePolicy {
  readonly name: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface NamespaceView extends NamespacePolicy {
  readonly name: string;
  readonly apps: number;
  /** Absent: it has no policy of its own. */
  readonly updatedAtMs?: number;
  /** What its unfinished tasks ask for; absent from older controllers. */
  readonly used?: NamespaceQuota;
}

/** Of a namespace without a record. */
export const DEFAULT_NAMESPACE_POLICY: NamespacePolicy = { profile: 'baseline', bindPrefixes: [] };

const MAX_PREFIXES = 64;

/** What of the App its namespace does not allow. */
export function checkNamespacePolicy(app: AppSpec, policy: NamespacePolicy): readonly Violation[] {
  return app.services.flatMap(({ name, container, companions = [] }) => [
    ...checkContainer(container, { ...policy, name: app.namespace }, `services.${name}`),
    ...companions.flatMap((companion, index) => checkContainer(companion.container, { ...policy, name: app.namespace }, companionPath(`services.${name}`, companions, index))),
  ]);
}

/** True when `hostPath` is one of `prefixes` or in one. All of them absolute and clean. */
export function isBelowPrefix(hostPath: string, prefixes: readonly string[]): boolean {
  return prefixes.some(prefix => hostPath === prefix || hostPath.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`));
}

/** What is wrong with a list of directories, or undefined. */
export function findPrefixProblem(prefixes: readonly string[]): string | undefined {
  if (prefixes.length > MAX_PREFIXES) {
    return `at most ${String(MAX_PREFIXES)} directories can be named`;
  }
  const bad = prefixes.find(prefix => !isCleanHostPath(prefix));
  return bad === undefined ? undefined : `${quoted(bad)} must be a clean absolute path: no .., no . and no / at the end`;
}

/** Absolute, no empty, `.` or `..` part, no control character. */
export function isCleanHostPath(path: string): boolean {
  const isPlain = path === '/' || (path.startsWith('/') && path.slice(1).split('/').every(part => part !== '' && part !== '.' && part !== '..'));
  return isPlain && path.length < 4096 && !/[\0-\x1f\x7f]/.test(path);
}

function checkContainer(container: ContainerSpec, policy: NamespacePolicy & { readonly name: string }, path: string): readonly Violation[] {
  const { profile } = container.security;
  const widest = SECURITY_PROFILES.indexOf(policy.profile);
  const allowed = SECURITY_PROFILES.slice(0, widest + 1);
  const command = `clusterctl namespace set ${policy.name}`;
  return [
    ...(allowed.includes(profile) ? [] : [{
      path: `${path}.security.profile`, message: `profile '${profile}' is not allowed in this Namespace; use ${allowed.toReversed().join(' or ')}, or an operator allows it: ${command} --profile ${profile}`,
    }]),
    ...container.volumes.flatMap((mount, index) => {
      if (mount.kind !== 'bind' || isBelowPrefix(mount.hostPath, policy.bindPrefixes)) {
        return [];
      }
      const options = [...policy.bindPrefixes, mount.hostPath].map(prefix => `--bind-prefix ${prefix}`).join(' ');
      const hint = policy.bindPrefixes.length === 0 ? 'use a declared volume' : `it allows ${policy.bindPrefixes.join(' ')}`;
      return [{ path: `${path}.volumes[${String(index)}].source`, message: `host path ${quoted(mount.hostPath)} is not allowed in this Namespace; ${hint}, or an operator allows it: ${command} ${options}` }];
    }),
  ];
}
