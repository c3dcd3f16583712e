import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { runCommand } from '#kit/command-process.ts';
import { cgroupMounts } from '../../cli/dev/cgroup-fs.ts';
import type { DevLayout } from '../../cli/dev/layout.ts';
import { findProcesses } from '../../cli/dev/process-scan-fs.ts';
import { plainGroups } from './plain-groups.ts';
import { untilNone } from './until-none.ts';

/**
 * What is left on the machine of a local cluster that was removed: processes, mounts in any namespace, network namespaces, links, nft tables,
 * control groups, files. Each as one line; empty when nothing is.
 */
export async function findLeftovers(layout: DevLayout): Promise<readonly string[]> {
  return await untilNone(async () => await look(layout));
}

async function look(layout: DevLayout): Promise<readonly string[]> {
  const processes = (await findProcesses(layout)).filter(isAlive).map(pid => `process ${String(pid)}`);
  return [...processes, ...mounts(layout), ...(await networkParts(layout)), ...(await cgroups(layout)), ...files(layout)];
}

/** A zombie is gone but for its parent's wait. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function mounts(layout: DevLayout): readonly string[] {
  const marks = [layout.stateDir, layout.runDir, ...[layout.hubNamespace, ...layout.nodes.map(node => node.networkNamespace)].map(name => `/run/netns/${name}`)];
  const targets = readdirSync('/proc').filter(entry => /^\d+$/.test(entry)).flatMap(mountTargets);
  return [...new Set(targets.filter(target => marks.some(mark => target === mark || target.startsWith(`${mark}/`))))].map(target => `mount ${target}`);
}

function mountTargets(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n').map(line => line.split(' ')[4] ?? '');
  } catch {
    // The process ended while we looked.
    return [];
  }
}

async function networkParts(layout: DevLayout): Promise<readonly string[]> {
  const [namespaces, links, tables] = await Promise.all([
    runCommand('ip', ['netns', 'list']), runCommand('ip', ['-br', 'link']), runCommand('nft', ['list', 'tables']),
  ]);
  return [
    ...namespaces.stdout.split('\n').filter(line => line.startsWith(`gantry-${layout.name}-`)).map(line => `network namespace ${line}`),
    ...links.stdout.split('\n').filter(line => line.startsWith(layout.tag)).map(line => `link ${line}`),
    ...tables.stdout.split('\n').filter(line => line.includes(layout.hostTable)).map(line => `nft ${line}`),
  ];
}

async function cgroups(layout: DevLayout): Promise<readonly string[]> {
  const scopes = layout.nodes.map(node => node.scope);
  const folders = (await cgroupMounts()).flatMap(mount => scopes.map(scope => `${mount}/${scope}`)).filter(existsSync);
  return [...folders.map(folder => `control group ${folder}`), ...await plainGroups(scopes)];
}

function files(layout: DevLayout): readonly string[] {
  return [layout.stateDir, layout.runDir].filter(existsSync);
}
