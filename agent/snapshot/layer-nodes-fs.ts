/** Single nodes of a layer's tree, each by its parent's descriptor and its name. */
import { closeSync, fchmodSync, fstatSync } from 'node:fs';
import { changeOwner, openDirectoryForAttributes, openPathIfThere, setAttribute } from '../kernel/file-syscall.ts';
import type { TarEntry } from './tar-reader.ts';

/** Source: overlayfs.rst, "whiteouts and opaque directories". */
export const OPAQUE_ATTRIBUTE = 'trusted.overlay.opaque';
const OPAQUE_VALUE = Buffer.from('y');
const CAPABILITY_ATTRIBUTE = 'security.capability';

export type FoundNode = 'nothing' | 'directory' | 'link' | 'whiteout' | 'other';

/** Owner first: it clears set-id bits and capabilities. Source: chown(2), "Notes"; capabilities(7). */
export function setOwnerAndMode(descriptor: number, entry: TarEntry): void {
  changeOwner(descriptor, '', entry);
  fchmodSync(descriptor, entry.mode);
  setAttributes(descriptor, entry);
}

/** Those that images may bring; the others are dropped. */
export function setAttributes(descriptor: number, entry: TarEntry): void {
  for (const [name, value] of entry.attributes) {
    if (isKeptAttribute(name)) setAttribute(descriptor, name, value);
  }
}

/** Attributes that images may bring. */
export function isKeptAttribute(name: string): boolean {
  return name.startsWith('user.') || name === CAPABILITY_ATTRIBUTE;
}

/** The directory hides what lower layers have in its place. */
export function setOpaque(parent: number, name: string): void {
  const descriptor = openDirectoryForAttributes(parent, name);
  try {
    setAttribute(descriptor, OPAQUE_ATTRIBUTE, OPAQUE_VALUE);
  } finally {
    closeSync(descriptor);
  }
}

/** What has the name. */
export function findNode(parent: number, name: string): FoundNode {
  const descriptor = openPathIfThere(parent, name);
  if (descriptor === undefined) return 'nothing';
  try {
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) return 'directory';
    if (stat.isSymbolicLink()) return 'link';
    return stat.isCharacterDevice() && stat.rdev === 0 ? 'whiteout' : 'other';
  } finally {
    closeSync(descriptor);
  }
}
