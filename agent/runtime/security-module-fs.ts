import { existsSync, readFileSync } from 'node:fs';
import type { SecurityModules } from './security-module.ts';

/** Source: Documentation/admin-guide/LSM/apparmor.rst; apparmor_parser(8); selinuxfs: mounted where SELinux is on */
const APPARMOR_ENABLED = '/sys/module/apparmor/parameters/enabled';
const APPARMOR_PROFILES = '/sys/kernel/security/apparmor/profiles';
const SELINUX = '/sys/fs/selinux/enforce';

/** What this machine has; `root` is where its / is. */
export function probeSecurityModules(root = ''): SecurityModules {
  const isAppArmorOn = readText(root + APPARMOR_ENABLED).startsWith('Y');
  const profiles = readText(root + APPARMOR_PROFILES).split('\n').flatMap(line => /^(\S+) \(\w+\)$/.exec(line)?.[1] ?? []);
  return { ...(isAppArmorOn ? { appArmorProfiles: profiles } : {}), isSelinuxOn: existsSync(root + SELINUX) };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the kernel has no such module, or securityfs is not mounted
  }
}
