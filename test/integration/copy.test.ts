/** needs root: files and ports of a real container through the tunnel's doors. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import test from 'ava';
import { ContainerFilesClient } from '../../agent/tunnel/container-files-client.ts';
import { SlotDialer } from '../../agent/tunnel/dial-socket.ts';
import { eventually, makeSandbox } from '../support/container-sandbox.ts';
import { insidePrivateMounts } from '../support/private-mounts.ts';

const NEVER = new AbortController().signal;
const files = new ContainerFilesClient();

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) {
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

function readlinkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ''; // the one that listed them
  }
}

function piece(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  return Readable.from([bytes]);
}

if (insidePrivateMounts(import.meta.filename)) {
  const sandbox = makeSandbox('copy');
  test.after.always('nothing is left', async t => { t.deepEqual(await sandbox.tearDown(), []); });
  const script = [
    'mkdir -p /home/a/b /home/out; echo hello > "/home/a/grüße"; head -c 300000 /dev/zero > /home/a/b/big; ln -s /etc/passwd /home/a/link; ln -s / /home/a/root',
    'ln -s /home/a /home/alias; ln -s /etc /home/out/evil; chown 33:34 /home/a/b/big; echo mine > /dev/shm/note; ln -s /sys/kernel /home/kernel; mkdir /home/holes; printf here | dd of=/home/holes/disk bs=1 seek=1073741824 2>/dev/null; echo ready; while true; do echo pong | nc -l -p 8080; done',
  ].join('; ');
  const started = sandbox.run('files', { command: ['sh', '-c', script] });
  const ready = started.then(async ({ container }) => {
    await eventually('its files', () => Promise.resolve(sandbox.logOf('files').includes('ready') || undefined));
    return container;
  });

  test.serial('needs root: a directory comes out as a tar that GNU tar reads, links as links, ids as the container sees them', async t => {
    const tar = await bytesOf(files.archive(await ready, '/home/alias/', NEVER));
    const listing = execFileSync('tar', ['-tvf', '-', '--numeric-owner'], { input: tar, encoding: 'utf8' });
    t.regex(listing, /^drwxr-xr-x 0\/0 .* alias\/$/m);
    t.regex(listing, /-rw-r--r-- 33\/34 +300000 .* alias\/b\/big$/m);
    t.regex(listing, /alias\/link -> \/etc\/passwd$/m);
    t.is(execFileSync('tar', ['-xOf', '-', 'alias/grüße'], { input: tar, encoding: 'utf8' }), 'hello\n');
  });

  test.serial('needs root: one file, a link that is named itself, and what is not there', async t => {
    const file = await bytesOf(files.archive(await ready, '/etc/passwd', NEVER));
    t.regex(execFileSync('tar', ['-xOf', '-', 'passwd'], { input: file, encoding: 'utf8' }), /^root:x:0:0:root/);
    const link = await bytesOf(files.archive(await ready, '/home/a/link', NEVER));
    t.regex(execFileSync('tar', ['-tvf', '-'], { input: link, encoding: 'utf8' }), /^l.* link -> \/etc\/passwd$/m);
    await t.throwsAsync(bytesOf(files.archive(await ready, '/nope', NEVER)), { code: 'NOT_FOUND' });
  });

  test.serial('needs root: a file of 1 GiB with four bytes comes out and goes in as these, and GNU tar reads it', async t => {
    const container = await ready;
    const tar = await bytesOf(files.archive(container, '/home/holes', NEVER));
    t.true(tar.length < 64 * 1024, `${String(tar.length)} bytes`);
    t.regex(execFileSync('tar', ['-tvf', '-'], { input: tar, encoding: 'utf8' }), / 1073741828 .* holes\/disk$/m);
    mkdirSync(`${sandbox.directory}/holes`);
    execFileSync('tar', ['-xf', '-', '-C', sandbox.directory], { input: tar });
    const packed = execFileSync('tar', ['-S', '-cf', '-', '-C', `${sandbox.directory}/holes`, 'disk']);
    await files.unpack(container, '/home', piece(packed));
    const at = `/proc/${String(container.pid)}/root/home/disk`;
    const { size, blocks } = statSync(at);
    t.deepEqual({ size, isSparse: blocks * 512 < 64 * 1024 }, { size: 1_073_741_828, isSparse: true });
    t.is(execFileSync('tail', ['-c', '5', at], { encoding: 'latin1' }), '\0here');
  });

  test.serial('needs root: a link to the root leads to the container\'s root, .. no higher', async t => {
    const tar = await bytesOf(files.archive(await ready, '/home/a/root/../../../etc/passwd', NEVER));
    t.regex(execFileSync('tar', ['-xOf', '-', 'passwd'], { input: tar, encoding: 'utf8' }), /web:x:33/);
  });

  test.serial('needs root: an archive goes in, owned inside as it says', async t => {
    const from = `${sandbox.directory}/from`;
    mkdirSync(`${from}/dir`, { recursive: true });
    writeFileSync(`${from}/dir/ünï`, 'inside\n');
    const tar = execFileSync('tar', ['-cf', '-', '--owner=33', '--group=34', '-C', from, 'dir']);
    await files.unpack(await ready, '/home', piece(tar));
    const container = await ready;
    t.is(readFileSync(`/proc/${String(container.pid)}/root/home/dir/ünï`, 'utf8'), 'inside\n');
    const back = await bytesOf(files.archive(container, '/home/dir', NEVER));
    t.regex(execFileSync('tar', ['-tvf', '-', '--numeric-owner'], { input: back, encoding: 'utf8' }), /33\/34 .*dir\/ünï/);
  });

  for (const path of ['/proc/version', '/sys/kernel/uevent_seqnum', '/sys/kernel', '/home/kernel/', '/proc/1/root/etc/passwd']) {
    test.serial(`needs root: ${path} is the machine's and is not read`, async t => {
      await t.throwsAsync(bytesOf(files.archive(await ready, path, NEVER)), { code: 'INVALID_ARGUMENT', message: /proc or sys, which the kernel fills; name a file of the container|leads in circles/ });
    });
  }

  test.serial('needs root: the whole root comes out with its mounts, and nothing of proc and sys', async t => {
    const tar = await bytesOf(files.archive(await ready, '/', NEVER));
    const names = execFileSync('tar', ['-tf', '-'], { input: tar, encoding: 'utf8' }).split('\n');
    t.true(names.includes('./dev/shm/note'));
    t.deepEqual(names.filter(name => /^\.\/(?:proc|sys)\/./.test(name)), []);
  });

  test.serial('needs root: a device is refused unopened, a mounted file system is the container\'s own', async t => {
    await t.throwsAsync(bytesOf(files.archive(await ready, '/dev/zero', NEVER)), { code: 'INVALID_ARGUMENT', message: /is no file, directory or link/ });
    const note = await bytesOf(files.archive(await ready, '/dev/shm/note', NEVER));
    t.is(execFileSync('tar', ['-xOf', '-', 'note'], { input: note, encoding: 'utf8' }), 'mine\n');
  });

  for (const path of ['/sys', '/proc', '/home']) {
    test.serial(`needs root: an archive writes nothing into proc or sys below ${path}`, async t => {
      const tar = execFileSync('tar', ['-cPf', '-', '--transform=s,^.*hostname,kernel/mm,', '/etc/hostname']);
      await t.throwsAsync(files.unpack(await ready, path, piece(tar)), { code: 'INVALID_ARGUMENT', message: /which the kernel fills|is no directory/ });
    });
  }

  test.serial('needs root: a process that only has the pid of the container is not taken for it', async t => {
    const container = await ready;
    const other = { ...container, startTicks: container.startTicks + 1 };
    await t.throwsAsync(bytesOf(files.archive(other, '/etc/passwd', NEVER)), { code: 'FAILED_PRECONDITION', message: 'the container is not running' });
    await t.throwsAsync(files.unpack(other, '/home', piece(Buffer.alloc(1024))), { code: 'FAILED_PRECONDITION' });
  });

  test.serial('needs root: what nobody reads to its end is closed', async t => {
    const container = await ready;
    const open = (): number => readdirSync('/proc/self/fd').filter(fd => readlinkOf(fd).includes('/home/a')).length;
    for await (const bytes of files.archive(container, '/home/a', NEVER)) {
      t.true(bytes.length > 0);
      break;
    }
    await eventually('its descriptors closed', () => Promise.resolve(open() === 0 ? true : undefined));
    t.is(open(), 0);
  });

  for (const name of ['../up', 'evil/passwd', '/../../x']) {
    test.serial(`needs root: an entry ${name} is refused`, async t => {
      const from = `${sandbox.directory}/bad`;
      mkdirSync(from, { recursive: true });
      writeFileSync(`${from}/file`, 'bad');
      const tar = execFileSync('tar', ['-cPf', '-', `--transform=s,^file,${name},`, '-C', from, 'file']);
      await t.throwsAsync(files.unpack(await ready, '/home/out', piece(tar)), { code: 'INVALID_ARGUMENT' });
    });
  }

  test.serial('needs root: a connection reaches a port of the container; a closed one is told', async t => {
    await ready;
    const dialer = new SlotDialer();
    const connection = await eventually('nc', () => dialer.dial(sandbox.networkNamespacePath, 8080, NEVER).catch(() => undefined));
    t.is((await bytesOf(connection as AsyncIterable<Buffer>)).toString('utf8'), 'pong\n');
    await t.throwsAsync(dialer.dial(sandbox.networkNamespacePath, 9999, NEVER), { code: 'UNAVAILABLE' });
    await t.throwsAsync(dialer.dial('/no/such/namespace', 80, NEVER), { code: 'FAILED_PRECONDITION' });
    await t.throwsAsync(dialer.dial(sandbox.networkNamespacePath, 0, NEVER), { code: 'INVALID_ARGUMENT' });
  });
}
