import { readdir, readlink } from 'node:fs/promises';

/** `net` to `net:[4026531840]`, and so on; empty for a process that is gone. Source: namespaces(7), /proc/PID/ns */
export async function readNamespaces(pid: number): Promise<Readonly<Record<string, string>>> {
  const directory = `/proc/${String(pid)}/ns`;
  const names = await readdir(directory).catch(() => []);
  const links = await Promise.all(names.filter(name => !name.endsWith('_for_children')).map(async name => [name, await readlink(`${directory}/${name}`).catch(() => '')] as const));
  return Object.fromEntries(links.filter(([, link]) => link !== ''));
}
