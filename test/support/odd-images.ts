/** Images whose layers have every oddity that a tar and a stack of layers may have, and that another unpacker takes too. */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync, openSync, writeSync, closeSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './node-namespaces.ts';
import { buildTar, patchedHeader } from './tar-builder.ts';
import type { TarSpec } from './tar-builder.ts';

export interface OddImage {
  readonly name: string;
  /** Who else unpacks it: umoci, like moby and containerd, does not take GNU's old sparse format. */
  readonly unpacker: 'umoci' | 'tar';
  readonly layers: readonly Uint8Array[];
  /** Directories whose time an unpacker chooses: entries came below them after, or none was for them. */
  readonly timeless?: readonly string[];
  /** Paths that are not compared, with all in them. */
  readonly isLeftOut?: (path: string) => boolean;
}

const dir = (n: string, more: Partial<TarSpec> = {}): TarSpec => ({ t: 'd', n, mtime: 1_600_000_000, ...more });
const file = (n: string, data = n, more: Partial<TarSpec> = {}): TarSpec => ({ t: 'f', n, data, ...more });
const link = (n: string, ln: string, more: Partial<TarSpec> = {}): TarSpec => ({ t: 'l', n, ln, ...more });
const hard = (n: string, ln: string): TarSpec => ({ t: 'h', n, ln });
const image = (name: string, layers: readonly (readonly TarSpec[])[], timeless: readonly string[] = []): OddImage => ({ name, unpacker: 'umoci', layers: layers.map(layer => buildTar(layer)), timeless });

/** vfs_cap_data of revision 2, effective, permitted CAP_NET_BIND_SERVICE. Source: include/uapi/linux/capability.h */
const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex');

/** Needs GNU tar. */
export function oddImages(): readonly OddImage[] {
  return [
    image('whiteouts and opaque directories', [
      [dir('a'), file('a/gone'), file('a/stay'), dir('b'), file('b/old'), dir('b/deep'), file('b/deep/old'), dir('c'), file('c/x'), link('l', 'a'), file('.whale')],
      [dir('a'), file('a/.wh.gone'), dir('b'), file('b/.wh..wh..opq'), file('b/new'), file('.wh.c'), file('.wh.l'), file('.wh.never-was')],
      [dir('c'), file('c/y'), dir('b'), file('b/old', 'again')],
    ]),
    image('whiteouts do not hide their own layer, whatever the order', [
      [dir('a'), file('a/one'), file('a/two'), dir('a/sub'), file('a/sub/old')],
      [dir('a'), file('a/new'), file('a/.wh..wh..opq'), dir('a/sub'), file('a/sub/fresh')],
    ]),
    image('whiteouts of what never was: in a first layer, in a directory of one layer alone, in an opaque one', [
      [dir('n'), file('n/a'), file('n/.wh.never'), dir('a'), file('a/old'), dir('gone'), file('gone/x')],
      [dir('new'), dir('new/sub'), file('new/sub/.wh.x'), file('new/y'), dir('a'), file('a/.wh..wh..opq'), file('a/.wh.x'), file('a/y'), file('.wh.gone')],
      [dir('gone'), file('gone/.wh.x'), file('gone/y'), dir('n'), file('n/.wh.other')],
    ]),
    image('times of directories that an upper layer lists again, or only implies', [
      [dir('a'), file('a/x'), dir('b'), file('b/x'), dir('c'), dir('c/d'), file('c/x'), dir('e'), dir('e/f'), link('l', 'e'), dir('h'), file('h/x'), dir('i'), file('i/x'), dir('w'), file('w/x')],
      [
        file('a/y'), dir('b', { mtime: 1_700_000_000 }), file('b/y'), dir('c/d', { mtime: 1_700_000_000 }), file('c/d/y'), dir('l/f', { mtime: 1_700_000_000 }), file('l/f/y'),
        dir('h', { mtime: 1_700_000_000 }), hard('h/y', 'h/x'), hard('i/y', 'i/x'), file('w/.wh.x'),
      ],
    ]),
    image('hardlinks in a layer', [
      [dir('d'), file('d/a', 'shared'), hard('d/b', 'd/a'), hard('c', './d/b'), link('s', 'd/a'), hard('s2', 's'), hard('d/e', '/d/a')],
      [dir('d'), file('d/a', 'apart')],
    ]),
    image('hardlinks to files of lower layers, and to links of links', [
      [dir('bin'), file('bin/one', '#!one', { mode: 0o4755, uid: 3, gid: 4 }), link('bin/sym', 'one'), dir('usr'), dir('usr/lib', { mode: 0o711 }), file('usr/lib/x', 'x', { pax: { 'SCHILY.xattr.user.k': 'v' } })],
      [hard('bin/two', 'bin/one'), hard('bin/three', 'bin/two'), hard('bin/sym2', 'bin/sym'), hard('usr/lib/y', 'usr/lib/x')],
    ], ['bin', 'usr', 'usr/lib']),
    image('attributes and file capabilities', [
      [
        dir('d', { pax: { 'SCHILY.xattr.user.dir': 'on a directory' } }), file('ping', 'elf', { mode: 0o755, pax: { 'SCHILY.xattr.security.capability': CAPABILITY } }),
        file('d/x', 'x', { uid: 9, gid: 9, mode: 0o640, pax: { 'SCHILY.xattr.user.bytes': Buffer.from([0, 1, 255, 61, 10]), 'SCHILY.xattr.user.long': 'v'.repeat(900) } }),
      ],
      [file('ping', 'new, without', { mode: 0o755 })],
    ]),
    sparseImage('PAX', [['--format=posix', '--sparse-version=0.0'], ['--format=posix', '--sparse-version=0.1'], ['--format=posix', '--sparse-version=1.0']]),
    { ...sparseImage('GNU', [['--format=gnu']]), unpacker: 'tar' },
    image('long names', [[
      dir('cut', { pax: { path: `l${'o'.repeat(200)}/` } }), { t: 'L', n: '././@LongLink', data: `${'g'.repeat(150)}/${'h'.repeat(160)}\0` }, file('cut', 'gnu'),
      { t: 'f', n: 'cut', data: 'pax', pax: { path: `p/${'q'.repeat(255)}` } }, { t: 'l', n: 'sym', ln: 'cut', pax: { linkpath: `/${'t'.repeat(250)}/${'u'.repeat(250)}` } },
      file('deep', 'deep', { pax: { path: Array.from({ length: 60 }, (_, index) => `level-${String(index)}-${'x'.repeat(20)}`).join('/') } }),
    ]], ['g*', 'p', 'level-*']),
    { name: 'long names of a ustar prefix', unpacker: 'umoci', layers: [gnuTar(['--format=ustar'], at => {
      const deep = path.join(at, 'd'.repeat(90), 'e'.repeat(60));
      mkdirSync(deep, { recursive: true });
      writeFileSync(path.join(deep, 'f'.repeat(50)), 'prefix');
    })] },
    image('set-id bits, sticky bits, closed modes and owners', [[
      dir('setgid', { mode: 0o2775, uid: 5, gid: 50 }), file('setgid/root', 'root'), file('setgid/other', 'x', { uid: 7, gid: 8, mode: 0o600 }), dir('setgid/below', { mode: 0o755 }),
      dir('tmp', { mode: 0o1777 }), file('su', 'su', { mode: 0o4755 }), file('sg', 'sg', { mode: 0o2755, gid: 42 }), file('both', 'both', { mode: 0o6711, uid: 65_534, gid: 65_534 }),
      file('none', 'none', { mode: 0 }), dir('shut', { mode: 0 }), file('shut/in', 'in', { mode: 0o7777 }), link('owned', 'su', { uid: 11, gid: 12 }), { t: 'p', n: 'pipe', mode: 0o622, uid: 3, gid: 3 },
    ]], ['setgid', 'shut']),
    image('odd times', [[
      file('before', 'b', { pax: { mtime: '-86400' } }), file('half-before', 'b', { pax: { mtime: '-1.25' } }), file('tiny', 't', { pax: { mtime: '1700000000.123456789' } }), file('zero', 'z', { mtime: 0 }),
      file('digits', 'd', { pax: { mtime: '1700000000.1234567899999' } }), file('future', 'f', { pax: { mtime: '4102444800.5' } }), file('far', 'f', { mtime: 8_589_934_591 }), link('sym', 'x', { pax: { mtime: '-1.5' } }),
      dir('d', { pax: { mtime: '1500000000.5' } }), dir('d/e', { pax: { mtime: '-2.75' } }), file('d/e/f'),
    ], [file('tiny', 'again', { pax: { mtime: '1700000001.000000001' } })]], ['d', 'd/e']),
    { name: 'base-256 numbers', unpacker: 'umoci', layers: [gnuTar(['--format=gnu', '--owner=:65535', '--group=:65534'], at => {
      writeFileSync(path.join(at, 'early'), 'e');
      utimesSync(path.join(at, 'early'), -1_000_000, -1_000_000);
      writeFileSync(path.join(at, 'late'), 'l');
      utimesSync(path.join(at, 'late'), 8_000_000_000, 8_000_000_000);
    }), Buffer.concat([patchedHeader({ name: 'size', size: 5 }, 124, '800000000000000000000005'), Buffer.from('hello'.padEnd(512, '\0')), Buffer.alloc(1024)])] },
    image('one kind takes the place of another', [
      [dir('d'), file('d/in'), file('f'), link('l', 'd'), dir('dl'), file('dl/x'), dir('deep'), dir('deep/er'), file('deep/er/x'), { t: 'p', n: 'p' }, dir('same')],
      [file('d', 'now a file'), dir('f'), file('f/in'), dir('l'), file('l/in'), link('dl', 'f'), link('deep', 'f'), file('p', 'now a file'), dir('same', { mode: 0o700, uid: 3 })],
    ]),
    image('one kind takes the place of another in one layer', [[
      dir('d'), file('d/in'), file('d', 'file'), file('f'), dir('f'), file('f/in'), link('l', 'f'), dir('l'), file('l/in'), dir('twice', { mode: 0o700 }), file('twice/x'), dir('twice', { mode: 0o755 }),
      file('again', 'long contents'), file('again', 'short', { mode: 0o600 }), hard('h', 'again'), file('again', 'third'),
    ]], ['d', 'f', 'l', 'twice']),
    image('entries below links of lower layers', [
      [dir('usr'), dir('usr/lib', { mode: 0o751, uid: 2 }), file('usr/lib/old'), link('lib', 'usr/lib', { uid: 6 }), dir('opt'), link('opt/app', '/srv/app'), dir('srv'), dir('srv/app'), dir('srv/app/conf', { mode: 0o700 }), link('two', 'lib'), link('srv/app/log', '../../usr')],
      [file('lib/new', 'new'), hard('lib/new2', 'lib/new'), file('opt/app/conf/a', 'a', { uid: 4 }), dir('opt/app/made', { mode: 0o711 }), file('opt/app/made/b'), file('two/three'), file('opt/app/log/far')],
      [file('lib/.wh.old'), file('usr/lib/new', 'newer')],
    ], ['usr', 'usr/lib', 'opt', 'srv', 'srv/app', 'srv/app/conf', 'srv/app/made']),
    image('directories without an entry are as lower layers have them', [
      [dir('./', { mode: 0o751, uid: 8, gid: 9 }), dir('home', { mode: 0o700, uid: 1000, gid: 1000, pax: { 'SCHILY.xattr.user.who': 'me' } }), dir('home/sub', { mode: 0o2770 }), file('home/x')],
      [file('home/sub/y'), file('new/dir/z')],
      [file('home/.wh.x')],
    ], ['home', 'home/sub', 'new', 'new/dir']),
    image('names from the root, with dots, twice the slash, children first', [[
      dir('./'), file('./a'), file('/b'), file('.//c'), dir('d//'), file('d/./e'), file('late/child'), dir('late', { mode: 0o711, uid: 3 }), dir('x/y/z'), dir('x', { mode: 0o750 }), file('trailing', ''),
    ]], ['d', 'late', 'x', 'x/y']),
    image('names that are no UTF-8, and others nobody likes', [[
      file('x', 'latin', { nHex: '66ff80fe' }), dir('x', { nHex: 'c3282f' }), file('x', 'in', { nHex: 'c3282f69' }), file('new\nline'), file('quote\'"`$\\'), file('colon:comma,'), file(' lead and trail '), file('ü€𝄞'), file('-rf'),
      file('long', 'l', { pax: { path: 'n'.repeat(255) } }), link('sym', 'x', { pax: { linkpath: Buffer.from('ff80', 'hex') } }),
    ], [file('x', 'second', { nHex: '66ff80fe' })]], ['\xc3(']),
    image('an empty layer above a root with an owner and a mode of its own', [[dir('./', { mode: 0o711, uid: 5, gid: 6 }), dir('a'), file('a/x')], []]),
    image('an empty layer, a layer twice, nothing but a root', [[], [dir('a'), file('a/x')], [dir('a'), file('a/.wh.x')], [dir('a'), file('a/x')], [dir('./', { mode: 0o755 })]]),
  ];
}

/** Files of more parts than a header holds, that are one hole, begin or end with one; a layer for each format. */
function sparseImage(name: string, formats: readonly (readonly string[])[]): OddImage {
  return {
    name: `sparse files, ${name}`, unpacker: 'umoci',
    layers: formats.map((format, index) => gnuTar(['--sparse', '--hole-detection=raw', ...format], at => {
      const directory = path.join(at, `format-${String(index)}`);
      mkdirSync(directory);
      makeSparse(path.join(directory, 'many'), 60, 3_000_001);
      makeSparse(path.join(directory, 'few'), 2, 200_000);
      makeSparse(path.join(directory, 'hole'), 0, 1_000_000);
      writeFileSync(path.join(directory, 'dense'), 'no hole');
    })),
  };
}

function makeSparse(at: string, parts: number, sizeBytes: number): void {
  writeFileSync(at, '');
  truncateSync(at, sizeBytes);
  const descriptor = openSync(at, 'r+');
  for (let part = 0; part < parts; part += 1) writeSync(descriptor, `part ${String(part)}`, 4096 + part * 40_960);
  closeSync(descriptor);
}

/** What GNU tar makes of the files that `build` puts into a directory. */
function gnuTar(options: readonly string[], build: (directory: string) => void): Buffer {
  const directory = mkdtempSync('/var/tmp/gantry-tar-');
  try {
    const tree = path.join(directory, 'tree');
    mkdirSync(tree);
    build(tree);
    run('tar', '--sort=name', '--numeric-owner', ...options, '-cf', path.join(directory, 't.tar'), '-C', tree, '.');
    return readFileSync(path.join(directory, 't.tar'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
