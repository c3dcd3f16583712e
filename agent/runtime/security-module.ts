/** Labels of the machine's security module for one container: AppArmor's profile, SELinux's type with categories of the task's own. */
import { createHash } from 'node:crypto';

/** What the machine has, as probed once. */
export interface SecurityModules {
  /** Names of the AppArmor profiles that are loaded; absent: AppArmor is off. */
  readonly appArmorProfiles?: readonly string[];
  /** SELinux is on, enforcing or not: labels matter. */
  readonly isSelinuxOn: boolean;
}

export interface SecurityModuleLabels {
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly mountLabel?: string;
}

export const NO_SECURITY_MODULES: SecurityModules = { isSelinuxOn: false };
/** deploy/apparmor/gantry-default; docker-default has the same walls, so it stands in for it. */
const APPARMOR_PROFILES = ['gantry-default', 'docker-default'];
/** Source: policy of container-selinux: c0..c1023, and two of them name a container. */
const CATEGORY_COUNT = 1024;

/**
 * What goes into the OCI config; nothing where the machine has no module.
 *
 * A container without a profile would run unconfined under AppArmor. Where none of ours is loaded that is so, and the agent says it at its start.
 * Source: OCI runtime-spec, config.md, "apparmorProfile", "selinuxLabel"; config-linux.md, "mountLabel"
 */
export function securityModuleLabels(modules: SecurityModules, container: { readonly taskId: string; readonly isUnconfined: boolean }): SecurityModuleLabels {
  return { ...appArmorLabel(modules, container.isUnconfined), ...selinuxLabels(modules, container) };
}

/** The AppArmor profile of containers here, or undefined. */
export function appArmorProfile({ appArmorProfiles }: SecurityModules): string | undefined {
  return APPARMOR_PROFILES.find(name => appArmorProfiles?.includes(name) === true);
}

function appArmorLabel(modules: SecurityModules, isUnconfined: boolean): SecurityModuleLabels {
  const profile = isUnconfined && modules.appArmorProfiles !== undefined ? 'unconfined' : appArmorProfile(modules);
  return profile === undefined ? {} : { apparmorProfile: profile };
}

function selinuxLabels({ isSelinuxOn }: SecurityModules, { taskId, isUnconfined }: { readonly taskId: string; readonly isUnconfined: boolean }): SecurityModuleLabels {
  if (!isSelinuxOn) {
    return {};
  }
  if (isUnconfined) {
    return { selinuxLabel: 'system_u:system_r:spc_t:s0' };
  }
  const level = `s0:${categories(taskId)}`;
  return { selinuxLabel: `system_u:system_r:container_t:${level}`, mountLabel: `system_u:object_r:container_file_t:${level}` };
}

/** Two different categories that the task's id names, the lower first. */
function categories(taskId: string): string {
  const hash = createHash('sha256').update(taskId).digest();
  const first = hash.readUInt16BE(0) % CATEGORY_COUNT;
  const second = (first + 1 + hash.readUInt16BE(2) % (CATEGORY_COUNT - 1)) % CATEGORY_COUNT;
  return [first, second].sort((left, right) => left - right).map(category => `c${String(category)}`).join(',');
}
