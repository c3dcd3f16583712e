/** needs root, crun, runc, perl, busybox: every row of the container rules (reliability 9), attacked from inside, in both runtimes and both profiles. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import type { SecuritySpec } from '#model/service.ts';
import { eventually, makeSandbox } from '../support/container-sandbox.ts';
import { containerSpec } from '../support/container-task.ts';
import { insidePrivateMounts } from '../support/private-mounts.ts';

const SCRIPT = path.resolve(import.meta.dirname, '../fixtures/attacks/attack.pl');
/** Fewer would mean that the script ended early or lost a row. */
const LEAST_ATTACKS = 125;
const BASELINE = containerSpec().security;
const PROFILES: Readonly<Record<string, SecuritySpec>> = {
  baseline: BASELINE, restricted: { ...BASELINE, profile: 'restricted', user: '1000:1000', readOnly: true },
};

if (insidePrivateMounts(import.meta.filename)) {
  const sandbox = makeSandbox('attacks');
  addPerl(`${sandbox.directory}/rootfs`);
  const bystander = spawn('sleep', ['600'], { stdio: 'ignore' });
  test.after.always('nothing is left', async t => {
    bystander.kill('SIGKILL');
    t.deepEqual(await sandbox.tearDown(), []);
  });
  for (const runtime of ['crun', 'runc']) {
    for (const [profile, security] of Object.entries(PROFILES)) {
      const id = `attack-${runtime}-${profile}`;
      const arguments_ = ['/usr/bin/perl', '/attack.pl', profile, String(bystander.pid)];

      test.serial(`needs root: ${runtime}, ${profile}: every attack of its first process fails`, async t => {
        const { end, output } = await sandbox.finish(id, { command: arguments_, security, limits: { memoryBytes: 128 * 2 ** 20, pids: 64 } }, { runtime });
        judge(t, output);
        t.is(end.code, 0);
        t.is(bystander.exitCode ?? bystander.signalCode, null, 'the machine\'s process lives');
      });

      test.serial(`needs root: ${runtime}, ${profile}: so does every attack of an exec`, async t => {
        await sandbox.run(`exec-${id}`, { command: ['sleep', '1000'], security, limits: { memoryBytes: 128 * 2 ** 20, pids: 64 } }, { runtime });
        const streams = await sandbox.runtime.exec(`exec-${id}`, { command: arguments_, tty: false, stdin: false, environment: [] }, new AbortController().signal);
        const chunks: Uint8Array[] = [];
        for await (const { bytes } of streams.output) {
          chunks.push(bytes);
        }
        judge(t, Buffer.concat(chunks).toString());
        t.is((await streams.ended).code, 0);
        await sandbox.runtime.remove(`exec-${id}`);
      });
    }

    test.serial(`needs root: ${runtime}: exec as a number is that number, and no id turns into root`, async t => {
      const id = `user-${runtime}`;
      await sandbox.run(id, { command: ['sleep', '1000'] }, { runtime });
      const idOf = async (user: string): Promise<string> => {
        const streams = await sandbox.runtime.exec(id, { command: ['id', '-u'], user, tty: false, stdin: false, environment: [] }, new AbortController().signal);
        let text = '';
        for await (const { bytes } of streams.output) {
          text += Buffer.from(bytes).toString();
        }
        return text.trim();
      };
      t.deepEqual([await idOf('33'), await idOf('web'), await idOf('1000'), await idOf('7:7')], ['33', '33', '1000', '7']);
      for (const user of ['4294967295', '2147483648', '-1', '1:4294967295', 'nobody-here', '0x0', ' 0']) {
        await t.throwsAsync(idOf(user), { code: 'INVALID_ARGUMENT' }, user);
      }
      await sandbox.runtime.remove(id);
    });

    test.serial(`needs root: ${runtime}: nothing but our own keys reaches it`, async t => {
      const id = `keys-${runtime}`;
      await sandbox.run(id, { command: ['sleep', '1000'] }, { runtime });
      const config = JSON.parse(readFileSync(`${sandbox.bundleOf(id)}/config.json`, 'utf8')) as object;
      t.deepEqual(Object.keys(config).sort(), ['hostname', 'linux', 'mounts', 'ociVersion', 'process', 'root']);
      t.false(JSON.stringify(config).includes('run.oci.'));
      await eventually('its processes', async () => ((await sandbox.cgroups.usage(id))?.processes ?? 0) > 0 || undefined);
      await sandbox.runtime.remove(id);
    });
  }
}

function judge(t: { deepEqual(actual: unknown, expected: unknown): unknown; true(value: boolean, message?: string): unknown }, output: string): void {
  const lines = output.split('\n').filter(line => line !== '');
  t.deepEqual(lines.filter(line => !line.startsWith('closed ') && line !== 'end of attacks'), []);
  t.true(lines.at(-1) === 'end of attacks' && lines.length > LEAST_ATTACKS, `${String(lines.length)} lines`);
}

/** The machine's perl with the libraries it loads, and the attacks. */
function addPerl(rootfs: string): void {
  const libraries = execFileSync('ldd', ['/usr/bin/perl'], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  for (const file of ['/usr/bin/perl', ...libraries]) {
    mkdirSync(`${rootfs}${path.dirname(file)}`, { recursive: true });
    copyFileSync(realpathSync(file), `${rootfs}${file}`);
    chmodSync(`${rootfs}${file}`, 0o755);
  }
  copyFileSync(SCRIPT, `${rootfs}/attack.pl`);
  chmodSync(`${rootfs}/attack.pl`, 0o644);
  if (!existsSync(`${rootfs}/bin/uname`)) {
    copyFileSync('/bin/busybox', `${rootfs}/bin/uname`);
  }
}
