import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { runCommand } from '#kit/command-process.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const PORTS: Readonly<Record<string, string>> = { 8080: '18480', 8081: '18481' };

let cluster: DevCluster;

test.before(async () => {
  cluster = await DevCluster.up({ images: ['hello', 'shop'] });
});

test.after.always(async t => {
  t.deepEqual(await cluster.down(), []);
});

test.serial("every command of the README's tour works as it stands there (root)", async t => {
  const place = checkoutWithOtherPorts();
  await cluster.ctl('apply', '-f', path.join(place, 'deploy/examples/hello.yaml'), '--wait');
  await eventually('the example', 60_000, async () => (await shell(place, 'curl -sf http://127.0.0.1:8080/')).exitCode === 0);
  const commands = tour();
  t.true(commands.length > 10);
  for (const command of commands) {
    const { exitCode, stdout, stderr } = await shell(place, command);
    // plan and diff say by their exit code whether anything would change.
    t.true(exitCode === 0 || (/^clusterctl (?:plan|diff) /.test(command) && exitCode === 1), `${command}: ${String(exitCode)} ${stdout}${stderr}`);
    t.false(command.startsWith('curl') && stdout === '', `${command} shows nothing`);
  }
  t.deepEqual((await cluster.tasks()).filter(task => task['app'] === 'shop'), []);
});

/** Commands of the first block of shell below the heading, without comments. */
function tour(): readonly string[] {
  const [, section = ''] = readFileSync(path.join(ROOT, 'README.md'), 'utf8').split('## Five minutes\n');
  const block = /```sh\n([\s\S]*?)```/.exec(section)?.[1] ?? '';
  return block.split('\n').map(line => line.replace(/\s+#.*$/, '').trim()).filter(line => line !== '');
}

/** The examples on ports that only this test uses; all else is the checkout. */
function checkoutWithOtherPorts(): string {
  const place = path.join(cluster.home, 'gantry');
  mkdirSync(path.join(place, 'deploy'), { recursive: true });
  cpSync(path.join(ROOT, 'deploy/examples'), path.join(place, 'deploy/examples'), { recursive: true });
  symlinkSync(path.join(ROOT, 'deploy/bin'), path.join(place, 'deploy/bin'));
  for (const file of ['hello.yaml', 'shop.yaml']) {
    const target = path.join(place, 'deploy/examples', file);
    writeFileSync(target, withOtherPorts(readFileSync(target, 'utf8')));
  }
  return place;
}

function withOtherPorts(text: string): string {
  return Object.entries(PORTS).reduce((changed, [from, to]) => changed.replaceAll(from, to), text);
}

/** As a person in the checkout would; the local cluster has another name than `dev`, and other ports. */
async function shell(place: string, command: string): Promise<Awaited<ReturnType<typeof runCommand>>> {
  const here = withOtherPorts(command).replace(/^clusterctl dev (kill|start) (\w+)/, `clusterctl dev $1 $2 --name ${cluster.name}`);
  return await runCommand('sh', ['-c', `cd '${place}' && ${here}`], {
    timeoutMs: 120_000, environment: { HOME: cluster.home, GANTRY_CONTEXT: cluster.name, NO_COLOR: '1', PATH: `${ROOT}/deploy/bin:/usr/sbin:/usr/bin:/sbin:/bin` },
  });
}
