/** What is mounted where: declared sources, and targets that are absolute, clean, unique and not protected. */
import type { AppSpec } from './app.ts';
import type { Violation } from './errors.ts';
import { isCleanHostPath } from './namespace.ts';
import { nearestWord } from './nearest-word.ts';
import { quoted } from './printable.ts';
import { checkRange } from './range-rules.ts';
import { MAX_ID } from './security-rules.ts';
import type { ContainerSpec, FileMount, VolumeMount } from './service.ts';

const PROTECTED = ['/proc', '/sys', '/dev'];
/** Source: limits.h, PATH_MAX. */
const MAX_PATH_BYTES = 4096;

interface Mount {
  readonly path: string;
  readonly target: string;
}

export function checkMounts(container: ContainerSpec, app: AppSpec, path: string): readonly Violation[] {
  const at = (section: string) => (index: number) => `${path}.${section}[${String(index)}]`;
  const mounts: readonly Mount[] = [
    ...container.configs.map(({ target }, index) => ({ path: at('configs')(index), target })),
    ...container.secrets.map(({ target }, index) => ({ path: at('secrets')(index), target })),
    ...container.volumes.map(({ target }, index) => ({ path: at('volumes')(index), target })),
  ];
  return [
    ...container.configs.flatMap((mount, index) => checkFile(mount, app.configs, { path: at('configs')(index), what: 'config' })),
    ...container.secrets.flatMap((mount, index) => checkFile(mount, app.secrets, { path: at('secrets')(index), what: 'secret' })),
    ...container.volumes.flatMap((mount, index) => checkVolume(mount, app, at('volumes')(index))),
    ...mounts.flatMap((mount, index) => checkTarget(mount, mounts.slice(0, index))),
  ];
}

/** What is wrong with a place in the container, or undefined. */
export function findTargetProblem(target: string): string | undefined {
  const isClean = target.startsWith('/') && (target === '/' || !target.slice(1).split('/').some(part => part === '' || part === '.' || part === '..'));
  if (!isClean || /[\0-\x1f\x7f]/.test(target)) {
    return `${quoted(target)} must be a clean absolute path: no .., no . and no / at the end`;
  }
  if (new TextEncoder().encode(target).byteLength >= MAX_PATH_BYTES) {
    return `must be shorter than ${String(MAX_PATH_BYTES)} bytes`;
  }
  const covered = target === '/' ? '/' : PROTECTED.find(place => target === place || target.startsWith(`${place}/`));
  return covered === undefined ? undefined : `${quoted(target)} is protected: nothing is mounted over / /proc /sys /dev`;
}

function checkTarget({ path, target }: Mount, earlier: readonly Mount[]): readonly Violation[] {
  const problem = findTargetProblem(target);
  if (problem !== undefined) {
    return [{ path: `${path}.target`, message: problem }];
  }
  const owner = earlier.find(other => other.target === target);
  return owner === undefined ? [] : [{ path: `${path}.target`, message: `${quoted(target)} is already the target of ${owner.path.replace(/^services\.[^.]*\./, '')}` }];
}

function checkFile(mount: FileMount, declared: readonly { readonly name: string }[], place: { readonly path: string; readonly what: string }): readonly Violation[] {
  const names = declared.map(({ name }) => name);
  return [
    ...(names.includes(mount.source) ? [] : [{ path: `${place.path}.source`, message: describeUndeclared(mount.source, names, place.what) }]),
    ...checkRange(mount.mode, `${place.path}.mode`, 0, 0o7777),
    ...checkRange(mount.uid ?? 0, `${place.path}.uid`, 0, MAX_ID),
    ...checkRange(mount.gid ?? 0, `${place.path}.gid`, 0, MAX_ID),
  ];
}

function checkVolume(mount: VolumeMount, app: AppSpec, path: string): readonly Violation[] {
  switch (mount.kind) {
    case 'bind':
      return isCleanHostPath(mount.hostPath) ? [] : [{ path: `${path}.source`, message: `host path ${quoted(mount.hostPath)} is not allowed: it must be clean and absolute, without .. and no / at the end` }];
    case 'tmpfs':
      return mount.sizeBytes > 0 ? [] : [{ path: `${path}.size`, message: 'must be > 0' }];
    case 'volume': {
      const names = app.volumes.map(({ name }) => name);
      return names.includes(mount.source) ? [] : [{ path: `${path}.source`, message: describeUndeclared(mount.source, names, 'volume') }];
    }
  }
}

function describeUndeclared(name: string, names: readonly string[], what: string): string {
  const near = nearestWord(name, names);
  const hint = near === undefined ? `declare it under ${what}s` : `did you mean '${near}'?`;
  return `${quoted(name)} is no ${what} of this App; ${hint}`;
}
