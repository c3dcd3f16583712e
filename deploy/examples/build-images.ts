/**
 * Builds the images of the examples from installed Debian packages and pushes them.
 *
 *   build-images REGISTRY CA_FILE [hello|shop|tools]...     default: all; tools is what `clusterctl debug` starts
 *
 * Needs busybox-static; for shop also nginx-light, redis-server, python3, python3-redis (deploy/bin/setup installs them).
 */
import { lstatSync, mkdtempSync, mkdirSync, readFileSync, readlinkSync, realpathSync, rmSync, symlinkSync, writeFileSync, copyFileSync, chmodSync } from 'node:fs';
import { arch, tmpdir } from 'node:os';
import path from 'node:path';
import { requireCommand, runCommand } from '#kit/command-process.ts';
import { systemClock } from '#kit/clock.ts';
import { buildImage } from '#registry/image-build.ts';
import type { BuildConfig } from '#registry/image-build.ts';
import { pushImage } from '#registry/push-flow.ts';
import { RegistryClient } from '#registry/registry-client.ts';
import { NO_REGISTRY_SETTINGS } from '#registry/registry-settings-parse.ts';

interface ImageRecipe {
  readonly name: string;
  /** Default: 1. */
  readonly tag?: string;
  readonly packages: readonly string[];
  /** Path in the image -> text. */
  readonly files: Readonly<Record<string, string>>;
  readonly directories: readonly string[];
  readonly config: BuildConfig;
}

const HERE = import.meta.dirname;
const ARCHITECTURE = arch() === 'arm64' ? 'arm64' : 'amd64';
const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/false\nredis:x:101:101:redis:/data:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n';
const GROUP = 'root:x:0:\nwww-data:x:33:\nredis:x:101:\nnogroup:x:65534:\n';
/** Of packages, what a container does not need. */
const LEFT_OUT = /^\/usr\/share\/(?:doc|man|locale|lintian|bug)\/|\/(?:test|tests|idlelib|ensurepip|__pycache__)\/|^\/etc\/(?:init\.d|logrotate\.d|ufw|default)\//;

const pythonPackages = (): readonly string[] => {
  const version = path.basename(realpathSync('/usr/bin/python3'));
  return [`${version}-minimal`, `lib${version}-minimal`, `lib${version}-stdlib`, 'python3-minimal', 'python3-redis'];
};

const RECIPES: Readonly<Record<string, () => readonly ImageRecipe[]>> = {
  hello: () => [{
    name: 'hello', packages: [], files: { '/www/.keep': '' }, directories: [],
    config: { Cmd: ['/bin/sh', '-c', 'echo "hello from $(hostname) on $GANTRY_NODE" > /www/index.html; echo "$(hostname) serves /www on port 80"; exec httpd -f -p 80 -h /www'], Env: ['PATH=/bin:/sbin:/usr/bin:/usr/sbin'] },
  }],
  shop: () => [
    {
      name: 'shop-nginx', packages: ['nginx', 'nginx-common'], files: {}, directories: ['/var/log/nginx', '/var/lib/nginx', '/run'],
      config: { Entrypoint: ['/usr/sbin/nginx'], Cmd: ['-g', 'daemon off;'], StopSignal: 'SIGQUIT', Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'] },
    },
    {
      name: 'shop-app', packages: pythonPackages(), directories: [],
      files: { '/srv/app.py': readFileSync(path.join(HERE, 'shop/app.py'), 'utf8') },
      config: { Entrypoint: ['/usr/bin/python3', '-u', '/srv/app.py'], User: '65534:65534', Env: ['PATH=/usr/bin:/bin', 'PYTHONDONTWRITEBYTECODE=1'] },
    },
    {
      name: 'shop-redis', packages: ['redis-server', 'redis-tools'], files: {}, directories: ['/data'],
      config: {
        Cmd: ['/bin/sh', '-c', 'exec redis-server --bind 0.0.0.0 --dir /data --appendonly yes --appendfsync always --requirepass "$(cat /run/secrets/redis-password)"'],
        WorkingDir: '/data', Env: ['PATH=/usr/bin:/bin'],
      },
    },
  ],
  tools: () => [{ name: 'busybox', tag: 'latest', packages: [], files: {}, directories: [], config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin:/sbin:/usr/bin:/usr/sbin'] } }],
};

/** Files of installed packages and every library their programs load, as paths from the root, parents first. */
async function packageFiles(packages: readonly string[]): Promise<readonly string[]> {
  if (packages.length === 0) {
    return [];
  }
  const listed = (await requireCommand('dpkg', ['-L', ...packages])).split('\n').filter(file => file.startsWith('/') && !LEFT_OUT.test(file));
  const files = listed.map(realParent).filter(file => lstatSync(file, { throwIfNoEntry: false })?.isDirectory() === false);
  const programs = files.filter(file => /\/s?bin\/|\.so(?:\.|$)/.test(file) && lstatSync(file).isFile());
  const { stdout } = await runCommand('ldd', programs);
  const libraries = [...stdout.matchAll(/(?:=> |^\s+)(\/[^ ]+) \(0x/gm)].map(match => realParent(match[1] ?? ''));
  return withParents([...new Set([...files, ...libraries].flatMap(withLinkTargets))]);
}

/** The same file below its real directory: Debian's /lib is a link to usr/lib. */
function realParent(file: string): string {
  return lstatSync(path.dirname(file), { throwIfNoEntry: false }) === undefined ? file : path.join(realpathSync(path.dirname(file)), path.basename(file));
}

/** A link comes with what it leads to. */
function withLinkTargets(file: string): readonly string[] {
  const facts = lstatSync(file, { throwIfNoEntry: false });
  if (facts?.isSymbolicLink() !== true) {
    return facts === undefined ? [] : [file];
  }
  const target = realParent(path.resolve(path.dirname(file), readlinkSync(file)));
  return [file, ...(target === file ? [] : withLinkTargets(target))];
}

function withParents(files: readonly string[]): readonly string[] {
  const all = new Set(files);
  for (const file of files) {
    for (let parent = path.dirname(file); parent !== '/'; parent = path.dirname(parent)) {
      all.add(parent);
    }
  }
  return [...all].sort();
}

/** A tar that is the same for the same files: names sorted, times and owners zero. */
async function tarOf(root: string, names: readonly string[], target: string): Promise<Uint8Array> {
  await requireCommand('tar', ['--create', `--file=${target}`, '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--no-recursion',
    '-C', root, '--verbatim-files-from', '--files-from=-'], { input: names.map(name => `.${name}\n`).join('') });
  return readFileSync(target);
}

/** busybox with all its names, the merged /usr, users. */
async function baseLayer(scratch: string): Promise<Uint8Array> {
  const root = path.join(scratch, 'base');
  for (const folder of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'etc', 'tmp', 'root', 'var', 'run']) {
    mkdirSync(path.join(root, folder), { recursive: true });
  }
  chmodSync(path.join(root, 'tmp'), 0o1777);
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    symlinkSync(`usr/${name}`, path.join(root, name));
  }
  copyFileSync('/usr/bin/busybox', path.join(root, 'usr/bin/busybox'));
  chmodSync(path.join(root, 'usr/bin/busybox'), 0o755);
  const applets = (await requireCommand('/usr/bin/busybox', ['--list'])).trim().split('\n').filter(name => name !== 'busybox');
  applets.forEach(name => { symlinkSync('busybox', path.join(root, 'usr/bin', name)); });
  writeFileSync(path.join(root, 'etc/passwd'), PASSWD);
  writeFileSync(path.join(root, 'etc/group'), GROUP);
  const names = (await requireCommand('find', ['.', '-mindepth', '1', '-printf', '/%P\n'], { workingDir: root })).trim().split('\n').sort();
  return await tarOf(root, names, path.join(scratch, 'base.tar'));
}

async function ownLayer(recipe: ImageRecipe, scratch: string): Promise<Uint8Array> {
  const root = path.join(scratch, recipe.name);
  mkdirSync(root);
  recipe.directories.forEach(folder => { mkdirSync(path.join(root, folder), { recursive: true }); });
  for (const [file, text] of Object.entries(recipe.files)) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  return await tarOf(root, withParents([...recipe.directories, ...Object.keys(recipe.files)]), path.join(scratch, `${recipe.name}.tar`));
}

const [registry, caFile, ...wanted] = process.argv.slice(2);
if (registry === undefined || caFile === undefined || wanted.some(name => !(name in RECIPES))) {
  console.error(`usage: build-images REGISTRY CA_FILE [${Object.keys(RECIPES).join('|')}]...`);
  process.exit(2);
}
const scratch = mkdtempSync(path.join(tmpdir(), 'gantry-images-'));
const client = new RegistryClient({
  caPem: readFileSync(caFile, 'utf8'), ...NO_REGISTRY_SETTINGS, credentials: () => Promise.resolve(undefined), clock: systemClock, random: Math.random,
});
try {
  const base = await baseLayer(scratch);
  for (const recipe of Object.keys(RECIPES).filter(name => wanted.length === 0 || wanted.includes(name)).flatMap(name => RECIPES[name]?.() ?? [])) {
    const files = await packageFiles(recipe.packages);
    const packages = files.length === 0 ? [] : [await tarOf('/', files, path.join(scratch, `${recipe.name}-packages.tar`))];
    const built = buildImage({ layers: [base, ...packages, await ownLayer(recipe, scratch)], architecture: ARCHITECTURE, config: recipe.config });
    const tag = recipe.tag ?? '1';
    await pushImage(client, { registry, repository: recipe.name, tag }, built, AbortSignal.timeout(120_000));
    console.log(`${registry}/${recipe.name}:${tag} ${built.digest}`);
  }
} finally {
  await client.close();
  rmSync(scratch, { recursive: true, force: true });
}
