/** The image that both sides pull: eight layers, gzip, most of it files of this machine's own /usr. */
import { chmodSync, copyFileSync, linkSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { requireCommand, runCommand } from '#kit/command-process.ts';
import { assembleImage, sha256Of } from '#registry/image-build.ts';
import type { BuiltImage, BuiltLayer } from '#registry/image-build.ts';
import { PLATFORM } from '../support/image-fixture.ts';

/** What the layers make together, compressed; random bytes in the last one fill what the others lack. */
const IMAGE_BYTES = 190e6;
/** Larger files say little of files. */
const MAX_FILE_BYTES = 8e6;
const SMALL_FILES = 2_000;

/** Parts of /usr, each a layer, and how many bytes of each are taken. A folder may be absent. */
const PARTS: readonly { readonly folders: readonly string[]; readonly maxBytes: number; readonly half?: 0 | 1 }[] = [
  { folders: ['usr/bin'], maxBytes: 100e6 },
  { folders: ['usr/lib/python3', 'usr/lib/python3.11', 'usr/lib/python3.12', 'usr/lib/python3.13'], maxBytes: 70e6 },
  { folders: ['usr/share'], maxBytes: 90e6 },
  { folders: ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu'], maxBytes: 80e6, half: 0 },
  { folders: ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu'], maxBytes: 80e6, half: 1 },
];

export interface PullImage {
  readonly built: BuiltImage;
  /** Lowest first; `sizeBytes` as it travels. */
  readonly layers: readonly { readonly diffId: string; readonly digest: string; readonly sizeBytes: number }[];
  /** Entries of all layers. */
  readonly entries: number;
}

/** What becomes a tar: names below `root`, parents first. */
interface Contents {
  readonly root: string;
  readonly names: readonly string[];
}

/** Builds it below `directory`, which it makes and removes. @throws Error when /usr of this machine has too little or too much */
export async function buildPullImage(directory: string): Promise<PullImage> {
  mkdirSync(directory);
  try {
    const parts = await Promise.all(PARTS.map(filesOf));
    const contents = [makeBase(directory), ...parts.map(names => ({ root: '/', names })), makeChanges(directory, parts)];
    const layers: BuiltLayer[] = [];
    for (const content of contents) layers.push(await layerOf(content, directory));
    const lackBytes = IMAGE_BYTES - layers.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (lackBytes < 0 || lackBytes > IMAGE_BYTES / 2) {
      throw new Error(`files of /usr make layers of ${String(IMAGE_BYTES - lackBytes)} bytes; at least ${String(IMAGE_BYTES / 2)} and at most ${String(IMAGE_BYTES)} are needed`);
    }
    const filling = makeFilling(directory, lackBytes);
    layers.push(await layerOf(filling, directory));
    const built = assembleImage({ layers, architecture: PLATFORM.architecture, config: {} });
    return {
      built, entries: [...contents, filling].reduce((sum, { names }) => sum + names.length, 0),
      layers: layers.map(({ diffId, bytes }) => ({ diffId, digest: sha256Of(bytes), sizeBytes: bytes.length })),
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Files and links of the part, up to its bytes, below the directories they are in. */
async function filesOf({ folders, maxBytes, half }: typeof PARTS[number]): Promise<readonly string[]> {
  // An absent folder is no failure of the others.
  const { stdout } = await runCommand('find', [...folders, '-xdev', '(', '-type', 'l', '-o', '-type', 'f', '-size', `-${String(MAX_FILE_BYTES)}c`, ')', '-printf', '%s %p\n'], { workingDir: '/' });
  const all = stdout.trim().split('\n').map(line => ({ bytes: Number.parseInt(line, 10), name: line.slice(line.indexOf(' ') + 1) })).sort((left, right) => (left.name < right.name ? -1 : 1));
  const middle = Math.floor(all.length / 2);
  let bytes = 0;
  const taken = (half === undefined ? all : half === 0 ? all.slice(0, middle) : all.slice(middle)).filter(file => {
    bytes += file.bytes;
    return bytes <= maxBytes;
  });
  return withParents(taken.map(({ name }) => name));
}

/** busybox, so that the image runs, and directories that layers above fill. */
function makeBase(directory: string): Contents {
  const root = path.join(directory, 'base');
  mkdirSync(path.join(root, 'bin'), { recursive: true });
  copyFileSync('/usr/bin/busybox', path.join(root, 'bin/busybox'));
  chmodSync(path.join(root, 'bin/busybox'), 0o755);
  ['sh', 'sleep', 'true'].forEach(name => { symlinkSync('busybox', path.join(root, 'bin', name)); });
  mkdirSync(path.join(root, 'tmp'));
  chmodSync(path.join(root, 'tmp'), 0o1777);
  return { root, names: ['bin', 'bin/busybox', 'bin/sh', 'bin/sleep', 'bin/true', 'tmp'] };
}

/** Many small files, a second name, a set-user-id bit, and whiteouts of what is below. */
function makeChanges(directory: string, parts: readonly (readonly string[])[]): Contents {
  const root = path.join(directory, 'changes');
  const app = path.join(root, 'srv/app');
  mkdirSync(app, { recursive: true });
  for (let index = 0; index < SMALL_FILES; index += 1) {
    writeFileSync(path.join(app, `f${String(index)}`), `${String(index)}\n`.repeat(1 + index % 50));
  }
  linkSync(path.join(app, 'f0'), path.join(app, 'second-name'));
  chmodSync(path.join(app, 'f1'), 0o4755);
  const hidden = parts.flatMap(names => names.slice(-1)).map(name => path.join(path.dirname(name), `.wh.${path.basename(name)}`));
  for (const name of hidden) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), '');
  }
  return { root, names: withParents([...readdirSync(app).sort().map(name => `srv/app/${name}`), ...hidden]) };
}

function makeFilling(directory: string, bytes: number): Contents {
  const root = path.join(directory, 'filling');
  mkdirSync(path.join(root, 'data'), { recursive: true });
  writeFileSync(path.join(root, 'data/blob'), randomBytes(bytes));
  return { root, names: ['data', 'data/blob'] };
}

/** Owners are root's: those of this machine may be beyond what a task's user namespace has. */
async function layerOf({ root, names }: Contents, directory: string): Promise<BuiltLayer> {
  const file = path.join(directory, 'layer.tar');
  await requireCommand('tar', ['--create', `--file=${file}`, '--owner=0', '--group=0', '--numeric-owner', '--no-recursion', '-C', root, '--verbatim-files-from', '--files-from=-'], { input: `${names.join('\n')}\n` });
  const tar = readFileSync(file);
  return { diffId: sha256Of(tar), bytes: await promisify(gzip)(tar) };
}

function withParents(names: readonly string[]): readonly string[] {
  const all = new Set(names);
  for (const name of names) {
    for (let parent = path.dirname(name); parent !== '.'; parent = path.dirname(parent)) all.add(parent);
  }
  return [...all].sort();
}
