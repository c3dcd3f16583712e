import test from 'ava';
import type { SecuritySpec } from '#model/service.ts';
import type { ImageConfig } from '#model/node-images.ts';
import { containerUser, mergeEnvironment, ociSpec } from '../../../../agent/runtime/oci-spec.ts';
import type { OciSpecInput } from '../../../../agent/runtime/oci-spec.ts';
import { heldCapabilities } from '../../../../agent/runtime/held-capabilities.ts';
import { NO_SECURITY_MODULES } from '../../../../agent/runtime/security-module.ts';
import { containerTask, IMAGE } from '../../../support/container-task.ts';
import type { TaskOverrides } from '../../../support/container-task.ts';
import { golden } from '../../../support/golden.ts';

const MIB = 1024 * 1024;
const RESTRICTED: SecuritySpec = { profile: 'restricted', user: '1000:1000', readOnly: false, capAdd: [], capDrop: [], hostNamespaces: [], mayGainPrivileges: false, isUnconfined: false };

function input(overrides: TaskOverrides = {}, image: Partial<ImageConfig> = {}, rest: Partial<OciSpecInput> = {}): OciSpecInput {
  const [task, config] = [containerTask(overrides), { ...IMAGE, ...image }];
  return {
    task, image: config, user: containerUser(task, config, { passwd: 'root:x:0:0::/root:\nweb:x:33:34::/home:\n', group: '' }),
    rootfsPath: '/var/lib/gantry/rootfs/a', userNamespacePath: '/run/gantry/slots/s1/user', networkNamespacePath: '/run/gantry/slots/s1/net', mounts: [],
    cgroupsPath: '/gantry-n1/a', etcFiles: { hostname: '/run/a/hostname', hosts: '/run/a/hosts', resolvConf: '/run/a/resolv.conf' },
    architecture: 'x64', maxOpenFiles: 1_000_000, heldCapabilities: heldCapabilities('CapBnd:\t000001ffffffffff\n'), devices: [], joined: {}, isDebugger: false, securityModules: NO_SECURITY_MODULES, ...rest,
  };
}

interface Spec {
  readonly process: { readonly args: readonly string[]; readonly cwd: string; readonly env: readonly string[]; readonly user: { readonly uid: number }; readonly capabilities: Readonly<Record<string, readonly string[]>>; readonly rlimits: readonly { readonly type: string; readonly soft: number; readonly hard: number }[] };
  readonly root: { readonly readonly: boolean };
  readonly mounts: readonly { readonly destination: string }[];
  readonly linux: { readonly resources: { readonly cpu: object } };
}
const spec = (...args: Parameters<typeof input>): Spec => ociSpec(input(...args)) as unknown as Spec;
const text = (...args: Parameters<typeof input>): string => `${JSON.stringify(ociSpec(input(...args)), (key, value: unknown) => key === 'seccomp' ? 'see seccomp-x64.json' : value, 1)}\n`;

test('profile baseline, whole', t => { golden(t, 'runtime/baseline.json', text()); });
test('profile restricted, with all that a task may ask for', t => {
  golden(t, 'runtime/restricted.json', text({
    security: RESTRICTED, init: true, tty: true, stdin: true, hostname: 'db-0', workingDir: '/srv', limits: { milliCpu: 1500, memoryBytes: 512 * MIB, pids: 100 },
    ulimits: [{ name: 'nofile', soft: 65_536, hard: 65_536 }], sysctls: [{ name: 'net.core.somaxconn', value: '1024' }],
    environment: [{ name: 'MODE', value: 'a=b' }],
  }, {}, { mounts: [{ destination: '/data', type: 'bind', source: '/var/lib/gantry/volumes/x', options: ['bind', 'rprivate', 'nosuid', 'nodev'] }] }));
});

const commands = test.macro({
  exec(t, own: TaskOverrides, image: Partial<ImageConfig>, expected: readonly string[]) { t.deepEqual(spec(own, image).process.args, expected); },
  title: (name = '') => `command line: ${name}`,
});
const ENTRY = { entrypoint: ['/entry'], command: ['cmd'] };
test('the image\'s own', commands, {}, ENTRY, ['/entry', 'cmd']);
test('command replaces CMD', commands, { command: ['x', 'y'] }, ENTRY, ['/entry', 'x', 'y']);
test('entrypoint forgets CMD', commands, { entrypoint: ['/mine'] }, ENTRY, ['/mine']);
test('both', commands, { entrypoint: ['/mine'], command: ['x'] }, ENTRY, ['/mine', 'x']);
test('an empty entrypoint leaves the command', commands, { entrypoint: [], command: ['x'] }, ENTRY, ['x']);
test('init goes first', commands, { init: true }, ENTRY, ['/run/gantry-init', '--', '/entry', 'cmd']);

const directories = test.macro({
  exec(t, own: string | undefined, image: string, expected: string) { t.is(spec(own === undefined ? {} : { workingDir: own }, { workingDir: image }).process.cwd, expected); },
  title: (name = '') => `working directory: ${name}`,
});
test('nobody says: the root', directories, undefined, '', '/');
test('the image says', directories, undefined, '/app', '/app');
test('the service says', directories, '/mine', '/app', '/mine');
test('made clean', directories, undefined, 'app/../srv//x/', '/srv/x');
test('/process is not under /proc', directories, undefined, '/process', '/process');

const refuses = test.macro({
  exec(t, own: TaskOverrides, image: Partial<ImageConfig>, code: string) { t.throws(() => spec(own, image), { code }); },
  title: (name = '') => `refused: ${name}`,
});
test('no command at all', refuses, {}, { command: [] }, 'FAILED_PRECONDITION');
test('a working directory under /proc', refuses, { workingDir: '/tmp/../proc/self' }, {}, 'FAILED_PRECONDITION');
test('root in restricted', refuses, { security: { profile: 'restricted', readOnly: false, capAdd: [], capDrop: [], hostNamespaces: [], mayGainPrivileges: false, isUnconfined: false } }, { user: 'root' }, 'FAILED_PRECONDITION');
test('a user above the namespace', refuses, {}, { user: '65536' }, 'FAILED_PRECONDITION');
test('a group above the namespace', refuses, {}, { user: '1:65536' }, 'FAILED_PRECONDITION');
test('a capability outside baseline', refuses, { security: { profile: 'baseline', readOnly: false, capAdd: ['SYS_ADMIN'], capDrop: [], hostNamespaces: [], mayGainPrivileges: false, isUnconfined: false } }, {}, 'INVALID_ARGUMENT');
test('a capability outside restricted', refuses, { security: { ...RESTRICTED, capAdd: ['CHOWN'] } }, {}, 'INVALID_ARGUMENT');

const capabilities = test.macro({
  exec(t, security: Partial<SecuritySpec>, user: string, expected: { readonly bounding: readonly string[]; readonly effective: readonly string[] }) {
    const { bounding, effective, permitted, inheritable, ambient } = spec({ security: { profile: 'baseline', readOnly: false, capAdd: [], capDrop: [], hostNamespaces: [], mayGainPrivileges: false, isUnconfined: false, ...security } }, { user }).process.capabilities;
    t.deepEqual({ bounding, effective }, expected);
    t.deepEqual([permitted, inheritable, ambient], [effective, [], []]);
  },
  title: (name = '') => `capabilities: ${name}`,
});
test('drop all, add one', capabilities, { capDrop: ['ALL'], capAdd: ['net_bind_service'] }, '', { bounding: ['CAP_NET_BIND_SERVICE'], effective: ['CAP_NET_BIND_SERVICE'] });
test('drop all', capabilities, { capDrop: ['all'] }, '', { bounding: [], effective: [] });
test('another user holds none', capabilities, { capDrop: ['ALL'], capAdd: ['CAP_CHOWN'] }, '5', { bounding: ['CAP_CHOWN'], effective: [] });
test('restricted has none', capabilities, { profile: 'restricted' }, '5', { bounding: [], effective: [] });

test('the environment: later wins, each name once', t => {
  t.deepEqual(mergeEnvironment(['A=1', 'B=2', 'A=3=4', '=x']), ['A=3=4', 'B=2']);
});
test('the service\'s environment wins over the image\'s and Gantry\'s', t => {
  const { env } = spec({ environment: [{ name: 'PATH', value: '/x' }, { name: 'FROM_IMAGE', value: 'no' }] }).process;
  t.deepEqual(env.filter(line => /^(?:PATH|FROM_IMAGE|GANTRY_FENCE)=/.test(line)), ['PATH=/x', 'FROM_IMAGE=no', 'GANTRY_FENCE=7']);
});
test('restricted is read-only with a /tmp, unless a volume is there', t => {
  const tmp = { destination: '/tmp', type: 'bind', source: '/v', options: [] };
  t.true(spec({ security: RESTRICTED }).root.readonly);
  t.is(spec({ security: RESTRICTED }).mounts.filter(mount => mount.destination === '/tmp').length, 1);
  t.deepEqual(spec({ security: RESTRICTED }, {}, { mounts: [tmp] }).mounts.filter(mount => mount.destination === '/tmp'), [tmp]);
});
test('open files stay under the agent\'s own limit', t => {
  t.deepEqual(spec({}, {}, { maxOpenFiles: 512 }).process.rlimits[0], { type: 'RLIMIT_NOFILE', soft: 512, hard: 512 });
});
test('cpu: no limit is no quota; shares follow the request within the kernel\'s range', t => {
  t.deepEqual(spec({ requests: { milliCpu: 1, memoryBytes: 0 } }).linux.resources.cpu, { shares: 2 });
  t.deepEqual(spec({ requests: { milliCpu: 1000, memoryBytes: 0 }, limits: { milliCpu: 1, memoryBytes: MIB, pids: 1 } }).linux.resources.cpu, { shares: 1024, quota: 1000, period: 100_000 });
});
