import { constants, lstatSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { ClusterError } from '#model/errors.ts';
import type { Task } from '#model/task.ts';
import type { ImageConfig } from '#model/node-images.ts';
import { ETC_FILES } from '../task/etc-files.ts';
import type { JoinedNamespaces } from '../task/joined-namespaces.ts';
import type { ConfigRequest, ContainerConfigs, HeldNamespaces } from '../task/ports.ts';
import { readAccounts } from './account-files-fs.ts';
import type { AccountFiles, ContainerUser } from './container-user.ts';
import { requireCommand } from './command-fs.ts';
import { openDevices } from './device-fs.ts';
import type { DevicePolicy } from './device-fs.ts';
import { holdNamespaces } from './held-namespaces-fs.ts';
import { heldCapabilities } from './held-capabilities.ts';
import type { SecurityModules } from './security-module.ts';
import { containerUser, INIT_TARGET, ociSpec } from './oci-spec.ts';

/** Mount points that the runtime writes under: crun follows a link of the image at /dev. */
const MOUNT_POINTS = ['dev', 'proc', 'sys'];

/** What this node's configuration and machine say. */
export interface ConfigPolicy extends DevicePolicy {
  readonly allowsPrivileged: boolean;
  readonly securityModules: SecurityModules;
}

/** config.json of containers, with what only the root file system and this machine can tell. */
export class OciConfigFs implements ContainerConfigs {
  readonly #policy: ConfigPolicy;
  readonly #heldCapabilities = heldCapabilities(readFileSync('/proc/self/status', 'utf8'));
  readonly #maxOpenFiles = hardOpenFileLimit(readFileSync('/proc/self/limits', 'utf8'));

  constructor(policy: ConfigPolicy) {
    this.#policy = policy;
  }

  /** @throws ClusterError FAILED_PRECONDITION when /dev, /proc or /sys of the image is there and no plain directory */
  configJson(request: ConfigRequest): Promise<string> {
    const { security, devices } = request.task.container;
    if (security.profile === 'privileged' && !this.#policy.allowsPrivileged) {
      throw new ClusterError('PERMISSION_DENIED', 'this node runs no service of profile privileged');
    }
    requirePlainMountPoints(request.rootfsPath);
    const inBundle = (name: string): string => `${request.bundlePath}/${name}`;
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
    const config = ociSpec({
      task: request.task,
      image: request.image,
      user: request.user,
      rootfsPath: request.rootfsPath,
      userNamespacePath: request.slot.userNamespacePath,
      networkNamespacePath: request.slot.networkNamespacePath,
      mounts: request.mounts,
      cgroupsPath: request.cgroupsPath,
      etcFiles: { hostname: inBundle(ETC_FILES.hostname), hosts: inBundle(ETC_FILES.hosts), resolvConf: inBundle(ETC_FILES.resolvConf) },
      architecture,
      joined: request.joined,
      isDebugger: request.isDebugger === true,
      maxOpenFiles: this.#maxOpenFiles,
      heldCapabilities: this.#heldCapabilities,
      devices: openDevices(devices, request.deviceUnits, this.#policy),
      securityModules: this.#policy.securityModules,
    });
    requireCommand(config.process, { rootfsPath: request.rootfsPath, mountTargets: [...request.mounts.map(mount => mount.destination), INIT_TARGET], architecture });
    return Promise.resolve(JSON.stringify(config));
  }

  hold(joined: JoinedNamespaces): HeldNamespaces {
    return holdNamespaces(joined);
  }

  async userOf(task: Task, image: ImageConfig, rootfsPath: string): Promise<ContainerUser> {
    return containerUser(task, image, await accountsBelow(rootfsPath));
  }
}

async function accountsBelow(rootfsPath: string): Promise<AccountFiles> {
  await using root = await open(rootfsPath, constants.O_DIRECTORY | constants.O_RDONLY);
  return await readAccounts(root.fd);
}

function requirePlainMountPoints(rootfsPath: string): void {
  for (const name of MOUNT_POINTS) {
    const facts = lstatSync(`${rootfsPath}/${name}`, { throwIfNoEntry: false });
    if (facts !== undefined && !facts.isDirectory()) {
      throw new ClusterError('FAILED_PRECONDITION', `the image's /${name} is no plain directory`);
    }
  }
}

/** Source: proc_pid_limits(5) */
function hardOpenFileLimit(limits: string): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  return hard === undefined || hard === 'unlimited' ? 524_288 : Number(hard);
}
