import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, statSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import path from 'node:path';
import test from 'ava';
import { DevCluster, eventually } from '../support/dev-cluster.ts';

/** Short lines are the hardest: conmon writes five times as much log as the program wrote. */
const LINES = 13_000_000;
const APP = `apiVersion: gantry/v1
kind: App
metadata: { name: big }
services:
  web: { image: hello:1, command: [sleep, "1000"] }
  mirror: { image: hello:1, command: [nc, -ll, -p, "7000", -e, cat] }
  out: { kind: job, image: hello:1, command: [/bin/sh, -c, 'while ! test -e /go/now; do sleep 0.1; done; seq 1 ${String(LINES)}'], volumes: ["go:/go"] }
volumes: { go: {} }
`;

let cluster: DevCluster;
let file: string;
let expected: string;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
  file = path.join(cluster.home, 'numbers');
  const seq = spawn('seq', ['1', String(LINES)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  for await (const chunk of seq.stdout as AsyncIterable<Buffer>) {
    chunks.push(chunk);
  }
  writeFileSync(file, Buffer.concat(chunks));
  expected = await digest(createReadStream(file));
  await cluster.apply(APP, '--detach');
  await eventually('all tasks', 60_000, async () => (await cluster.tasks()).filter(task => task['state'] === 'running').length === 3);
});

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

async function digest(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) {
    hash.update(chunk);
  }
  return hash.digest('hex');
}

/** SHA-256 of all that clusterctl wrote to stdout; `input` is its stdin. */
async function through(args: readonly string[], input?: string): Promise<string> {
  const child = spawn(cluster.program, args, { env: { ...process.env, ...cluster.environment }, stdio: ['pipe', 'pipe', 'inherit'] });
  if (input === undefined) {
    child.stdin.end();
  } else {
    createReadStream(input).pipe(child.stdin);
  }
  const ended = once(child, 'close');
  const sum = await digest(child.stdout as AsyncIterable<Uint8Array>);
  await ended;
  return sum;
}

test.serial('100 MB of lines are followed through rotations, each once and in order (root)', async t => {
  const followed = through(['logs', '-f', 'big/out']);
  await cluster.ctl('exec', 'big/out', '--', 'touch', '/go/now');
  t.is(await followed, expected);
});

test.serial('100 MB go in and out through attach, in through exec, and out through cp (root)', async t => {
  await cluster.ctl('run', '-d', '-i', '--name', 'echo', 'hello:1', 'cat');
  t.is(await through(['attach', 'echo'], file), expected);
  const sum = `${expected}  -\n`;
  t.is(await through(['exec', '-i', 'big/web', '--', 'sha256sum'], file), createHash('sha256').update(sum).digest('hex'));
  await cluster.ctl('cp', file, 'big/web:/tmp/copied');
  const back = path.join(cluster.home, 'back');
  await cluster.ctl('cp', 'big/web:/tmp/copied', back);
  t.is(await digest(createReadStream(back)), expected);
});

test.serial('100 MB come through run, go in and out through debug, and in through cp and out through exec (root)', async t => {
  t.is(await through(['run', '--rm', 'hello:1', 'seq', '1', String(LINES)]), expected);
  t.is(await through(['debug', '-i', 'big/web', '--image', 'hello:1', '--', 'cat'], file), expected);
  await cluster.ctl('cp', file, 'big/web:/tmp/numbers');
  t.is(await through(['exec', 'big/web', '--', 'cat', '/tmp/numbers']), expected);
});

test.serial('a file of 1 GiB with four bytes goes in and out through cp as these, its holes stay holes (root)', async t => {
  const disk = path.join(cluster.home, 'disk');
  writeFileSync(disk, 'here');
  truncateSync(disk, 2 ** 30);
  await cluster.ctl('cp', disk, 'big/web:/tmp/disk');
  await cluster.ctl('cp', 'big/web:/tmp/disk', `${disk}-back`);
  const { size, blocks } = statSync(`${disk}-back`);
  t.deepEqual({ size, isSparse: blocks * 512 < 2 ** 20 }, { size: 2 ** 30, isSparse: true });
  t.is((await cluster.ctl('exec', 'big/web', '--', 'head', '-c', '4', '/tmp/disk')), 'here');
});

test.serial('10 MB go in and out through a forwarded port, a port where nothing listens is told, and nothing stays after SIGINT (root)', async t => {
  const child = spawn(cluster.program, ['port-forward', 'big/mirror', ':7000', ':7001'], { env: { ...process.env, ...cluster.environment }, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => { child.kill('SIGKILL'); });
  const said = { output: '', errors: '' };
  child.stdout.on('data', (chunk: Buffer) => { said.output += chunk.toString(); });
  child.stderr.on('data', (chunk: Buffer) => { said.errors += chunk.toString(); });
  const ended = once(child, 'close');
  const portTo = async (remote: number): Promise<number> => Number(await eventually('its port', 60_000, () => new RegExp(`Forwarding from 127\\.0\\.0\\.1:(\\d+) -> ${String(remote)}\n`).exec(said.output)?.[1]));
  const dial = async (remote: number): Promise<Socket> => connect({ host: '127.0.0.1', port: await portTo(remote), allowHalfOpen: true }).on('error', () => undefined);

  (await dial(7001)).resume();
  await eventually('the refusal', 60_000, () => /error: forwarding \d+ -> 7001: connection refused: nothing listens on port 7001 in the container\n/.test(said.errors));
  const idle = await dial(7000);
  idle.write('x');
  await once(idle, 'data');
  const socket = await dial(7000);
  createReadStream(file, { end: (10 << 20) - 1 }).pipe(socket);
  t.is(await digest(socket as AsyncIterable<Uint8Array>), await digest(createReadStream(file, { end: (10 << 20) - 1 })));

  const served = async (): Promise<number> => (await cluster.ctl('exec', 'big/mirror', '--', 'ps')).split('\n').filter(line => /(?<!-e) cat *$/.test(line)).length;
  await eventually('the idle connection alone', 60_000, async () => await served() === 1);
  child.kill('SIGINT');
  t.is((await ended)[0], 130, said.errors);
  await eventually('the end of the idle connection', 60_000, async () => await served() === 0);
});
