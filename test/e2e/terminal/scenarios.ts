/** What a person does with containers at a terminal, in docker's words. Each scenario's transcript is the same from docker and from Gantry. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readlinkSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { attachShell, CTRL_C, CTRL_D, DETACH, interrupt, leave, LOOP, openShell, resizeShell, startTrapped, typeLines } from './shell-hands.ts';
import type { Stage } from './stage.ts';

export type Scenario = (stage: Stage) => Promise<void>;

const SMALL = { columns: 80, rows: 24 };
const TEN_MEGABYTES = Buffer.alloc(10_000_000, 'Zweiundvierzig €uro, 四十二\n');

async function runShell(stage: Stage): Promise<void> {
  const words = ['run', '-it', '--rm', stage.image, 'sh'];
  const shell = await openShell(stage, words);
  await typeLines(shell, 'stty size', 'echo größe 日本 €', 'tty; echo $TERM', 'printf "\\033[1mbold\\033[0m\\n"', 'false', 'echo $?');
  await resizeShell(shell);
  await interrupt(shell);
  await typeLines(shell, 'echo $?');
  await leave(shell, 'exit 3\r');
  await leave(await openShell(stage, words, SMALL), CTRL_D);
}

async function runTerminal(stage: Stage): Promise<void> {
  const { image } = stage;
  const sized = stage.open(['run', '-it', '--rm', image, 'stty', 'size'], { columns: 77, rows: 33 });
  await sized.end();
  const told = stage.open(['run', '-it', '--rm', image, 'sh', '-c', `trap "stty size" WINCH; trap "echo bye; exit 9" INT; echo ready; ${LOOP}`]);
  await told.expect('ready');
  told.resize({ columns: 100, rows: 40 });
  await told.expect('40 100');
  told.resize({ columns: 60, rows: 20 });
  await told.expect('20 60');
  told.type(CTRL_C);
  await told.end();
  const long = stage.open(['run', '-it', '--rm', image, 'seq', '1', '200000']);
  await long.end();
  const output = stage.open(['run', '-t', '--rm', image, 'sh', '-c', 'echo out; echo err >&2; exit 4']);
  await output.end();
}

async function runPlain(stage: Stage): Promise<void> {
  const { image } = stage;
  const sh = async (script: string, ...flags: readonly string[]): Promise<void> => { await stage.run(['run', '--rm', ...flags, image, 'sh', '-c', script]); };
  await stage.run(['run', '--rm', image, 'true']);
  await sh('echo hello; echo größe 日本; exit 0');
  await sh('echo out; exit 7');
  await sh('echo err >&2; exit 1');
  await sh('printf "no newline"');
  await sh('kill -TERM $$', '--init');
  await sh('kill -KILL $$', '--init');
  await sh('echo $A; pwd; id -u; id -g', '-e', 'A=b c', '-w', '/tmp', '-u', '1234:55');
  await sh('cat', '--init');
  await stage.run(['run', '--rm', '--entrypoint', 'echo', image, 'one', 'two']);
  await stage.run(['run', '--rm', image, 'seq', '1', '500000']);
  await stage.run(['run', '-i', '--rm', image, 'cat'], { input: Buffer.from('größe\n') });
  await stage.run(['run', '-i', '--rm', image, 'wc', '-c'], { input: Buffer.alloc(0) });
  await stage.run(['run', '-i', '--rm', image, 'sha256sum'], { input: TEN_MEGABYTES });
  await stage.run(['run', '-i', '--rm', image, 'cat'], { input: TEN_MEGABYTES });
}

async function runRefused(stage: Stage): Promise<void> {
  const { image } = stage;
  await stage.run(['run', '--rm', image, 'nope'], { isRefusal: true });
  await stage.run(['run', '--rm', image, '/etc/passwd'], { isRefusal: true });
  await stage.run(['run', '--rm', image.replace('hello:1', 'nosuch:1')], { isRefusal: true });
  await stage.run(['run', '--rm', image.replace('hello:1', 'hello:nosuch')], { isRefusal: true });
  await stage.run(['run', '--rm', '-u', 'nosuch', image, 'id'], { isRefusal: true });
  await stage.run(['run', '-it', '--rm', image, 'cat'], { isRefusal: true, input: Buffer.from('no terminal') });
}

async function runSignals(stage: Stage): Promise<void> {
  const { image } = stage;
  const trapped = stage.open(['run', '--rm', image, 'sh', '-c', `trap "echo got it; exit 12" INT; echo ready; ${LOOP}`]);
  await trapped.expect('ready');
  trapped.type(CTRL_C);
  await trapped.end();
  stage.keepInMind('box');
  await leave(await openShell(stage, ['run', '-it', '--name', 'box', image, 'sh'], SMALL), DETACH);
  await stage.state('box', 'running');
  await stage.run(['exec', 'box', 'echo', 'goes on']);
  await stage.run(['stop', 'box']);
}

async function attachTerminal(stage: Stage): Promise<void> {
  await stage.start('den', ['-it', stage.image, 'sh']);
  const first = await attachShell(stage, 'den', { columns: 70, rows: 21 });
  await typeLines(first, 'stty size');
  await interrupt(first);
  await typeLines(first, 'echo $?; echo hidden');
  await leave(first, DETACH);
  await stage.state('den', 'running');
  const same = await attachShell(stage, 'den', { columns: 70, rows: 21 });
  await typeLines(same, 'echo again');
  await leave(same, DETACH);
  const second = await attachShell(stage, 'den', { columns: 120, rows: 50 });
  await typeLines(second, 'stty size');
  await leave(second, 'exit 5\r');
  await stage.state('den', 'exited 5');
  await stage.run(['attach', 'den'], { isRefusal: true });
}

async function attachPlain(stage: Stage): Promise<void> {
  const script = `trap "echo interrupted; exit 12" INT; until [ -e /tmp/quiet ]; do echo tick; sleep 0.1; done; while :; do sleep 0.1; done`;
  await stage.start('nest', [stage.image, 'sh', '-c', script]);
  const watcher = stage.open(['attach', '--no-stdin', 'nest']);
  await watcher.expect('tick');
  await stage.state('nest', 'running');
  await stage.run(['exec', 'nest', 'sh', '-c', 'touch /tmp/quiet; sleep 1']); // no tick beside the interrupt
  watcher.type(CTRL_C);
  await watcher.expect('interrupted');
  await watcher.end();
  await stage.state('nest', 'exited 12');
}

async function execCommands(stage: Stage): Promise<void> {
  await stage.start('web', [stage.image, 'sh', '-c', LOOP]);
  const exec = async (...words: readonly string[]): Promise<void> => { await stage.run(['exec', ...words]); };
  await exec('web', 'echo', 'größe', '日本');
  await exec('web', 'sh', '-c', 'echo out; echo err >&2; exit 42');
  await exec('-w', '/tmp', '-e', 'A=b c', '-e', 'B=', 'web', 'sh', '-c', 'pwd; echo "$A|$B|"');
  await exec('-u', 'nobody', 'web', 'id');
  await exec('-u', '1234:55', 'web', 'id');
  await exec('-u', 'nobody:root', 'web', 'id');
  await exec('web', 'sh', '-c', 'kill -KILL $$');
  await exec('web', 'sh', '-c', 'kill -TERM $$');
  await exec('web', 'cat');
  await exec('web', 'seq', '1', '500000');
  await stage.run(['exec', '-i', 'web', 'cat'], { input: Buffer.from('in and out') });
  await stage.run(['exec', '-i', 'web', 'sha256sum'], { input: TEN_MEGABYTES });
  await stage.run(['exec', '-i', 'web', 'cat'], { input: TEN_MEGABYTES });
  await stage.run(['exec', '-i', 'web', 'head', '-c', '5'], { input: TEN_MEGABYTES });
  for (const words of [['web', 'nope'], ['web', '/etc/passwd'], ['-u', 'nosuch', 'web', 'id'], ['-w', '/nosuch', 'web', 'id'], ['nosuch', 'id']]) {
    await stage.run(['exec', ...words], { isRefusal: true });
  }
  await stage.run(['stop', '-t', '1', 'web']);
  await stage.state('web', 'exited 137');
  await stage.run(['exec', 'web', 'id'], { isRefusal: true });
}

async function execTerminal(stage: Stage): Promise<void> {
  await stage.start('web', [stage.image, 'sh', '-c', LOOP]);
  const shell = await openShell(stage, ['exec', '-it', 'web', 'sh']);
  await typeLines(shell, 'stty size', 'tty; echo $TERM', 'echo größe 日本 €', 'seq 1 3');
  await resizeShell(shell);
  await interrupt(shell);
  await leave(shell, 'exit 6\r');
  // A while after its start: crun makes the terminal of an exec without its size, which follows at once.
  const sized = stage.open(['exec', '-it', 'web', 'sh', '-c', 'sleep 1; stty size'], { columns: 77, rows: 33 });
  await sized.end();
  const long = stage.open(['exec', '-it', 'web', 'seq', '1', '200000']);
  await long.end();
  const output = stage.open(['exec', '-t', '-e', 'TERM=dumb', 'web', 'sh', '-c', 'echo $TERM; echo err >&2; exit 4']);
  await output.end();
  await stage.run(['exec', '-it', 'web', 'cat'], { isRefusal: true, input: Buffer.from('no terminal') });
  await leave(await openShell(stage, ['exec', '-it', 'web', 'sh'], SMALL), DETACH);
}

async function logs(stage: Stage): Promise<void> {
  await stage.start('story', [stage.image, 'sh', '-c', 'echo one; sleep 1; echo zwei größe >&2; sleep 1; echo three; printf four; exit 3']);
  await stage.state('story', 'exited 3');
  await stage.run(['logs', 'story']);
  await stage.run(['logs', '-f', 'story']);
  for (const flags of [['--tail', '1'], ['--tail', '2'], ['--tail', '0'], ['--tail', 'all'], ['-t'], ['--since', '1h'], ['--since', '2020-01-01T00:00:00Z']]) {
    await stage.run(['logs', ...flags, 'story']);
  }
  await stage.run(['logs', '--since', '2099-01-01T00:00:00Z', 'story']);
  await stage.start('typed', ['-t', stage.image, 'sh', '-c', 'echo a; echo b >&2']);
  await stage.state('typed', 'exited 0');
  await stage.run(['logs', 'typed']);
  await stage.start('many', [stage.image, 'seq', '1', '300000']);
  await stage.state('many', 'exited 0');
  await stage.run(['logs', 'many']);
  await stage.run(['logs', '--tail', '3', 'many']);
  await stage.run(['logs', 'nosuch'], { isRefusal: true });
}

async function followLogs(stage: Stage): Promise<void> {
  await stage.start('live', [stage.image, 'sh', '-c', 'trap "echo bye; exit 0" TERM; for i in 1 2 3; do echo line $i; sleep 0.2; done; while [ ! -e /tmp/end ]; do sleep 0.1; done; echo last']);
  const follower = stage.open(['logs', '-f', 'live']);
  await follower.expect('line 3');
  await stage.run(['exec', 'live', 'touch', '/tmp/end']);
  await follower.end();
  await startTrapped(stage, 'endless', 'trap "exit 0" TERM');
  const left = stage.open(['logs', '-f', 'endless']);
  await left.expect('ready');
  await leave(left, CTRL_C);
  await stage.state('endless', 'running');
}

/** A container of tools beside a running one. */
async function debugging(stage: Stage): Promise<void> {
  await stage.start('seen', [stage.image, 'sh', '-c', 'echo of the target > /tmp/mark; mkdir /w; echo hello > /w/index.html; httpd -p 80 -h /w; exec sleep 1000']);
  await stage.until(['exec', 'seen', 'cat', '/proc/1/cmdline'], 'sleep');
  const sh = async (script: string, ...flags: readonly string[]): Promise<void> => { await stage.run(['debug', 'seen', ...flags, '--', 'sh', '-c', script]); };
  await sh('tr "\\0" " " < /proc/1/cmdline; wget -qO- http://127.0.0.1/; ls /tmp; id -u');
  await sh('echo $KEY; echo err >&2; exit 7', '-e', 'KEY=a b');
  await sh('kill -TERM $$');
  await stage.run(['debug', 'seen', '-i', '--', 'wc', '-c'], { input: TEN_MEGABYTES });
  await stage.run(['debug', 'seen', '-i', '--', 'cat'], { input: TEN_MEGABYTES });
  await stage.run(['debug', 'seen', '--', '/nope'], { isRefusal: true });
  const shell = await openShell(stage, ['debug', 'seen', '-it', '--', 'sh']);
  await typeLines(shell, 'stty size', 'tty; echo $TERM', 'cat /proc/1/root/tmp/mark', 'false', 'echo $?');
  await resizeShell(shell);
  await interrupt(shell);
  await leave(shell, 'exit 3\r');
  const plain = stage.open(['debug', 'seen', '-t', '--', 'sh', '-c', 'echo out; echo err >&2; exit 4']);
  await plain.end();
  await stage.state('seen', 'running');
}

async function copies(stage: Stage): Promise<void> {
  const { scratch } = stage;
  const cp = async (from: string, to: string, isRefusal = false): Promise<void> => { await stage.run(['cp', '-q', from, to], { isRefusal }); };
  const inside = async (script: string): Promise<void> => { await stage.run(['exec', 'web', 'sh', '-c', script]); };
  const seed = 'mkdir -p /data/sub /empty; echo größe > /data/a; echo deep > /data/sub/b; ln -s a /data/link; chmod 750 /data/sub; seq 1 100000 > /data/big';
  await stage.start('web', [stage.image, 'sh', '-c', `${seed}; ${LOOP}`]);
  await stage.until(['exec', 'web', 'sh', '-c', 'ls /data/big; tail -n 1 /data/big'], '100000');
  mkdirSync(path.join(scratch, 'tree/inner'), { recursive: true });
  writeFileSync(path.join(scratch, 'file'), 'eins\n');
  writeFileSync(path.join(scratch, 'tree/inner/zwei ü'), 'zwei\n', { mode: 0o640 });
  symlinkSync('inner', path.join(scratch, 'tree/to-inner'));
  mkdirSync(path.join(scratch, 'out'));
  await cp('web:/data/a', 'a');
  await cp('web:/data/a', 'out/renamed');
  await cp('web:/data/a', 'out');
  await cp('web:/data', 'fresh');
  await cp('web:/data', 'out');
  await cp('web:/data/.', 'out');
  await cp('web:/data/link', 'out/link-itself');
  await cp('web:/data/big', '.');
  await cp('web:/etc/nosuch', 'x', true);
  await cp('web:/data/a', 'nosuch/x', true);
  await cp('web:/data/a', 'nosuch/', true);
  await cp('web:/data', 'a', true);
  await cp('nosuch:/data', 'x', true);
  stage.show(listTree(scratch));
  await cp('file', 'web:/');
  await cp('file', 'web:/empty/renamed');
  await cp('tree', 'web:/empty');
  await cp('tree', 'web:/newtree');
  await cp('tree/.', 'web:/empty/sub');
  await cp('tree/.', 'web:/tmp');
  await cp('nosuch', 'web:/tmp', true);
  await cp('file', 'web:/nosuch/x', true);
  await cp('file', 'web:/nosuch/', true);
  await cp('tree', 'web:/file', true);
  await inside('cat /file /empty/renamed; find /empty /newtree /tmp -exec stat -c "%A %u:%g %N" {} + | sort');
}

/** Every path below `folder` with its kind, its mode and, of files, the digest of what is in it. */
function listTree(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort().map(name => {
    const place = path.join(folder, name);
    const facts = lstatSync(place);
    const digest = facts.isFile() ? createHash('sha256').update(readFileSync(place)).digest('hex').slice(0, 12) : facts.isDirectory() ? 'directory' : `-> ${readlinkSync(place)}`;
    return `${name} ${(facts.mode & 0o777).toString(8)} ${digest}`;
  });
}

async function stopping(stage: Stage): Promise<void> {
  await startTrapped(stage, 'polite', 'trap "echo bye; exit 9" TERM');
  await stage.run(['stop', 'polite']);
  await stage.state('polite', 'exited 9');
  await stage.run(['logs', 'polite']);
  await startTrapped(stage, 'deaf', 'trap "" TERM');
  await stage.run(['stop', '-t', '1', 'deaf']);
  await stage.state('deaf', 'exited 137');
  await stage.start('killed', [stage.image, 'sh', '-c', LOOP]);
  await stage.run(['kill', 'killed']);
  await stage.state('killed', 'exited 137');
  await startTrapped(stage, 'signalled', 'trap "exit 21" USR1');
  await stage.run(['kill', '-s', 'USR1', 'signalled']);
  await stage.state('signalled', 'exited 21');
  await stage.run(['kill', 'signalled'], { isRefusal: true });
  await stage.run(['stop', 'nosuch'], { isRefusal: true });
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'run-shell': runShell,
  'run-terminal': runTerminal,
  'run-plain': runPlain,
  'run-refused': runRefused,
  'run-signals': runSignals,
  'attach-terminal': attachTerminal,
  'attach-plain': attachPlain,
  'exec': execCommands,
  'exec-terminal': execTerminal,
  'debug': debugging,
  'logs': logs,
  'logs-follow': followLogs,
  'cp': copies,
  'stop': stopping,
};
