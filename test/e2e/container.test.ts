import test from 'ava';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';

const HEAD = 'apiVersion: gantry/v1\nkind: App\n';

/** Jobs that print what they were given: their logs are the answer. */
const BOX = `${HEAD}metadata: { name: box }
services:
  plain:
    kind: job
    image: hello:1
    command: [/bin/sh, -c, 'id -u; id -g; pwd; env | sort; grep -E "^(CapEff|NoNewPrivs|Seccomp)" /proc/self/status']
    environment: { GREETING: "hello there", EMPTY: "" }
  tuned:
    kind: job
    image: hello:1
    entrypoint: [/bin/sh, -c]
    command: ['echo "$0 $(id -u):$(id -g) $(pwd) $(hostname) $(ulimit -n)"', named]
    security: { user: "33:33" }
    working_dir: /var
    hostname: special
    ulimits: { nofile: 1234 }
  files:
    kind: job
    image: hello:1
    security: { user: www-data }
    command: [/bin/sh, -c, 'exec 2>&1; cat /etc/conf/app.ini; stat -c "%a %u %g" /etc/conf/app.ini /run/secrets/key; cat /run/secrets/key; grep /run/secrets/key /proc/mounts; echo no > /etc/conf/app.ini']
    configs: [{ source: ini, target: /etc/conf/app.ini, mode: "0444" }]
    secrets: [key]
  sealed:
    kind: job
    image: hello:1
    command: [/bin/sh, -c, 'exec 2>&1; echo x > /www/x; echo kept > /tmp/x && cat /tmp/x']
    security: { read_only: true }
    volumes: [{ type: tmpfs, target: /tmp, size: 1Mi }]
  strict:
    kind: job
    image: hello:1
    command: [/bin/sh, -c, 'exec 2>&1; id -u; grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status; touch /www/x; mount -t tmpfs none /tmp']
    security: { profile: restricted, user: "1000:1000" }
configs:
  ini: { content: "mode=fast" }
secrets:
  key: { external: true }
`;

const VOLUMES = (color: string): string => `${HEAD}metadata: { name: store }
services:
  db:
    kind: stateful
    image: hello:1
    init: true
    command: [/bin/sh, -c, 'echo $COLOR >> /data/starts; exec sleep 1000']
    environment: { COLOR: ${color} }
    volumes: ["data:/data", { type: tmpfs, target: /cache, size: 1Mi }]
    update: { monitor: 500ms }
volumes:
  data: { per_replica: true }
`;

const BIND = `${HEAD}metadata: { name: bound }
services:
  web:
    kind: job
    image: hello:1
    job: { retries: 0 }
    command: [/bin/cat, /host/hostname]
    volumes: ["/etc:/host:ro"]
`;

let cluster: DevCluster;
let output: ReadonlyMap<string, string>;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 2 });
  const client = cluster.client();
  await client.putSecret({ requestId: crypto.randomUUID(), namespace: 'default', name: 'key', content: new TextEncoder().encode('s3cret\n') });
  client.close();
  await cluster.apply(BOX);
  const ended = await eventually('the ends of all jobs', 60_000, async () => {
    const tasks = (await cluster.items('ps', '-a')).filter(task => task['app'] === 'box' && ['complete', 'failed'].includes(String(task['state'])));
    return new Set(tasks.map(task => task['service'])).size === 5 && tasks;
  });
  output = new Map(await Promise.all(ended.map(async task => [String(task['service']), await cluster.ctl('logs', `task/${String(task['id'])}`)] as const)));
});

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

test.serial('by default: root of its own ids, variables of the manifest and of the cluster, few capabilities (root)', t => {
  const text = output.get('plain') ?? '';
  t.regex(text, /^0\n0\n\/\n/);
  for (const line of ['GREETING=hello there', 'EMPTY=', 'PATH=/bin:/sbin:/usr/bin:/usr/sbin', 'GANTRY_APP=box', 'GANTRY_SERVICE=plain', 'GANTRY_SLOT=0', 'GANTRY_NAMESPACE=default']) {
    t.true(text.split('\n').includes(line), line);
  }
  t.regex(text, /GANTRY_TASK=[a-z2-7]{12}/);
  t.regex(text, /GANTRY_NODE=n[12]/);
  t.regex(text, /GANTRY_FENCE=\d+/);
  t.regex(text, /NoNewPrivs:\t1/);
  t.regex(text, /Seccomp:\t2/);
  t.regex(text, /CapEff:\t00000000800405fb/, 'CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT SETFCAP');
});

test.serial('entrypoint, command, user, working directory, host name, limits are as written', t => {
  t.is(output.get('tuned'), 'named 33:33 /var special 1234\n');
});

test.serial('configs and secrets are files of the container\'s user; secrets are on a tmpfs', t => {
  const text = output.get('files') ?? '';
  t.regex(text, /^mode=fast\s?444 0 0\n400 33 33\ns3cret\n\S+ \/run\/secrets\/key tmpfs ro/s);
  t.regex(text, /can't create \/etc\/conf\/app\.ini/);
});

test.serial('a read-only root is that; a tmpfs beside it is not', t => {
  t.regex(output.get('sealed') ?? '', /\/www\/x: Read-only file system[^]*kept/);
});

test.serial('profile restricted has no capability, no write, no mount', t => {
  const text = output.get('strict') ?? '';
  t.regex(text, /^1000\n/);
  t.regex(text, /CapEff:\t0000000000000000/);
  t.regex(text, /NoNewPrivs:\t1/);
  t.regex(text, /\/www\/x: Read-only file system/);
  t.regex(text, /mount: (?:permission denied|mounting none on \/tmp failed)/);
});

test.serial('restricted without a user is refused at its line', async t => {
  const refused = await cluster.tryApply(`${HEAD}metadata: { name: bad }\nservices:\n  web:\n    image: hello:1\n    security: { profile: restricted }\n`);
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /manifest\.yaml:\d+:\d+ services\.web\.security(?:\.user)?: required in profile 'restricted'/);
});

test.serial('a local volume stays with its ordinal over a replacement; a tmpfs does not', async t => {
  await cluster.apply(VOLUMES('red'), '--wait');
  const [before] = await cluster.tasks('store/db');
  await inside(before, 'touch /cache/x');
  await cluster.apply(VOLUMES('blue'), '--wait');
  const [after] = await cluster.tasks('store/db');
  t.not(after?.['id'], before?.['id']);
  t.is(after?.['node'], before?.['node']);
  t.is(await inside(after, 'cat /data/starts; ls /cache; stat -c "%u:%g" /data/starts'), 'red\nblue\n0:0');
});

test.serial('a bind of a host path is refused at its line', async t => {
  const refused = await cluster.tryApply(BIND);
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, /manifest\.yaml:\d+:\d+ services\.web\.volumes\[0\].*: host path ['"]\/etc['"] is not allowed/);
});

async function inside(task: Item | undefined, line: string): Promise<string> {
  return (await cluster.ctl('exec', `task/${String(task?.['id'])}`, '--', 'sh', '-c', line)).trim();
}
