import { readFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './node-namespaces.ts';
import type { OddImage } from './odd-images.ts';
import { buildTar } from './tar-builder.ts';

/** Source: debootstrap(8), MIRROR */
const MIRROR = 'http://deb.debian.org/debian';
const TIME = 1_600_000_000;

/**
 * Debian's base system as its own tools install it from its mirror, some 200 MB, and a layer that takes away and replaces parts of it. Uses
 * `directory`, which is to be empty. Needs root.
 */
export function debianImage(directory: string): OddImage {
  const tree = path.join(directory, 'tree');
  const file = path.join(directory, 'base.tar');
  run('debootstrap', '--variant=minbase', 'stable', tree, MIRROR);
  run('tar', '--sort=name', '--numeric-owner', '--xattrs', '--xattrs-include=*', '--format=posix', '-cf', file, '-C', tree, '.');
  const base = readFileSync(file);
  return {
    name: 'Debian', unpacker: 'umoci', layers: [base, changes()],
    // Device nodes are the runtime's to make.
    isLeftOut: at => at.startsWith('dev/'),
  };
}

/** As builders write them: what is changed comes after the directories above it. */
function changes(): Uint8Array {
  return buildTar([
    ...['usr', 'usr/share', 'etc', 'var', 'var/cache'].map(n => ({ t: 'd', n, mtime: TIME } as const)),
    { t: 'f', n: 'usr/share/.wh.doc', data: '' },
    { t: 'd', n: 'usr/share/zoneinfo', mtime: TIME }, { t: 'f', n: 'usr/share/zoneinfo/.wh..wh..opq', data: '' }, { t: 'f', n: 'usr/share/zoneinfo/UTC', data: 'here', mtime: TIME },
    { t: 'f', n: 'etc/debian_version', data: 'another\n', mtime: TIME }, { t: 'h', n: 'etc/debian_version.2', ln: 'etc/debian_version' },
    { t: 'f', n: 'var/cache/apt', data: 'no directory any more', mtime: TIME },
  ]);
}
