/** A place to run real containers in a test: a busybox root, namespaces made together, and a check that nothing is left. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { systemClock } from '#kit/clock.ts';
import { CgroupFs } from '../../agent/cgroup/cgroup-fs.ts';
import { ConmonRuntime } from '../../agent/runtime/conmon-process.ts';
import { containerUser, ociSpec } from '../../agent/runtime/oci-spec.ts';
import { heldCapabilities } from '../../agent/runtime/held-capabilities.ts';
import { NO_SECURITY_MODULES } from '../../agent/runtime/security-module.ts';
import type { ContainerEnd, ContainerRequest, CreatedContainer } from '../../agent/runtime/ports.ts';
import { containerTask, IMAGE } from './container-task.ts';
import { leaveNothingOf } from './last-will.ts';
import type { TaskOverrides } from './container-task.ts';
import { untilNone } from './until-none.ts';

const HOST_BASE = 1_900_544_000;
const APPLETS = ['sh', 'sleep', 'cat', 'echo', 'true', 'yes', 'stty', 'id', 'mount', 'unshare', 'ls', 'head', 'wc', 'kill', 'env', 'pwd', 'dd', 'tr', 'trap', 'nc', 'ps', 'seq', 'hostname', 'tty', 'touch', 'mkdir', 'ln', 'rm', 'readlink', 'ip', 'ping', 'grep', 'printf', 'sha256sum', 'usleep'];
const NEVER = new AbortController().signal;
const LIMIT_MS = 90_000;

export interface Sandbox {
  readonly runtime: ConmonRuntime;
  readonly cgroups: CgroupFs;
  readonly directory: string;
  readonly options: ConstructorParameters<typeof ConmonRuntime>[0];
  /** What `create` asks the runtime for. */
  requestOf(id: string, overrides: TaskOverrides, request?: Partial<ContainerRequest>): ContainerRequest;
  /** Creates a container of `command`; `request` overrides what the runtime is asked for. */
  create(id: string, overrides: TaskOverrides, request?: Partial<ContainerRequest>): Promise<CreatedContainer>;
  /** `create` and `start`. */
  run(id: string, overrides: TaskOverrides, request?: Partial<ContainerRequest>): Promise<CreatedContainer>;
  /** Waits for the end. */
  endOf(id: string): Promise<ContainerEnd>;
  /** `run`, its end and what it printed; the container is removed. */
  finish(id: string, overrides: TaskOverrides, request?: Partial<ContainerRequest>): Promise<{ readonly end: ContainerEnd; readonly output: string }>;
  readonly networkNamespacePath: string;
  bundleOf(id: string): string;
  logOf(id: string): string;
  /** Removes everything; returns what was left that should not have been. */
  tearDown(): Promise<readonly string[]>;
}

export function makeSandbox(name: string): Sandbox {
  const directory = mkdtempSync(`/tmp/gantry-${name}-`);
  chmodSync(directory, 0o711); // root of the container, another id on the host, walks through
  const rootfs = `${directory}/rootfs`;
  makeRootfs(rootfs);
  const slot = makeSlot(directory);
  const parent = directory.slice('/tmp/'.length).toLowerCase();
  const revokeWill = leaveNothingOf({ directory, group: parent });
  const cgroups = new CgroupFs(parent, systemClock);
  const options = {
    stateDir: `${directory}/state`, conmonPath: '/usr/bin/conmon', cgroups, clock: systemClock,
    programs: new Map([['crun', '/usr/bin/crun'], ['runc', '/usr/sbin/runc']].filter(([, path = '']) => existsSync(path)) as [string, string][]),
  };
  const runtime = new ConmonRuntime(options);
  const bundleOf = (id: string): string => `${directory}/bundles/${id}`;
  const requestOf: Sandbox['requestOf'] = (id, overrides, request = {}) => {
    mkdirSync(bundleOf(id), { recursive: true });
    const task = containerTask(overrides);
    const config = ociSpec({
      task, image: IMAGE, rootfsPath: rootfs, mounts: [], cgroupsPath: cgroups.pathFor(id), ...slot,
      user: containerUser(task, IMAGE, { passwd: readFileSync(`${rootfs}/etc/passwd`, 'utf8'), group: readFileSync(`${rootfs}/etc/group`, 'utf8') }),
      etcFiles: { hostname: `${directory}/etc-file`, hosts: `${directory}/etc-file`, resolvConf: `${directory}/etc-file` },
      architecture: process.arch === 'arm64' ? 'arm64' : 'x64', maxOpenFiles: 4096, heldCapabilities: heldCapabilities(readFileSync('/proc/self/status', 'utf8')), devices: [], joined: {}, isDebugger: false, securityModules: NO_SECURITY_MODULES,
    });
    return {
      id, runtime: 'crun', bundlePath: bundleOf(id), configJson: JSON.stringify(config), logPath: `${bundleOf(id)}/log`,
      terminal: task.container.tty, stdin: task.container.stdin, ...request,
    };
  };
  const create: Sandbox['create'] = async (id, overrides, request) => {
    runtime.ensureLogWriter();
    return await runtime.create(requestOf(id, overrides, request), NEVER);
  };
  const run: Sandbox['run'] = async (id, overrides, request) => {
    const created = await create(id, overrides, request);
    await runtime.start(id);
    return created;
  };
  const endOf = (id: string): Promise<ContainerEnd> => eventually(`the end of ${id}`, () => runtime.readEnd(id));
  const logOf = (id: string): string => (existsSync(`${bundleOf(id)}/log`) ? readFileSync(`${bundleOf(id)}/log`, 'utf8') : '');
  return {
    runtime, cgroups, directory, requestOf, create, run, endOf, logOf, bundleOf, options, networkNamespacePath: slot.networkNamespacePath,
    async finish(id, overrides, request) {
      await run(id, overrides, request);
      const end = await endOf(id);
      await eventually(`the monitor of ${id} gone`, () => Promise.resolve(processesNaming(bundleOf(id)).length === 0 ? true : undefined));
      await eventually(`the log of ${id}`, () => Promise.resolve(runtime.isLogOpen(id) ? undefined : true));
      const output = logOf(id).replaceAll(/^\S+ \S+ F (.*)$/gm, '$1');
      await runtime.remove(id);
      return { end, output };
    },
    async tearDown() {
      for (const id of await runtime.list()) {
        await runtime.remove(id);
      }
      await runtime.endLogWriter();
      const left = await untilNone(async () => [...await cgroups.list(), ...processesNaming(directory)]);
      // The will takes what was left, once it was told.
      if (left.length > 0) return left;
      await cgroups.removeParent();
      execFileSync('umount', [slot.userNamespacePath, slot.networkNamespacePath]);
      rmSync(directory, { recursive: true });
      revokeWill();
      return left;
    },
  };
}

/** Polls `probe` until it answers, at most a minute and a half. */
export async function eventually<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
  const endAtMs = performance.now() + LIMIT_MS;
  do {
    const answer = await probe();
    if (answer !== undefined) {
      return answer;
    }
    await systemClock.sleep(10, NEVER);
  } while (performance.now() < endAtMs);
  throw new Error(`${what} did not come within ${String(LIMIT_MS)} ms`);
}

function makeRootfs(rootfs: string): void {
  for (const dir of ['bin', 'etc', 'dev', 'proc', 'sys', 'tmp', 'run', 'root', 'home']) {
    mkdirSync(`${rootfs}/${dir}`, { recursive: true });
    chownSync(`${rootfs}/${dir}`, HOST_BASE, HOST_BASE);
  }
  chownSync(rootfs, HOST_BASE, HOST_BASE);
  chmodSync(`${rootfs}/tmp`, 0o1777);
  copyFileSync('/bin/busybox', `${rootfs}/bin/busybox`);
  APPLETS.forEach(applet => { symlinkSync('busybox', `${rootfs}/bin/${applet}`); });
  writeFileSync(`${rootfs}/etc/passwd`, 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/home:/bin/sh\n');
  writeFileSync(`${rootfs}/etc/group`, 'root:x:0:\nwww:x:34:\nextra:x:50:web\n');
}

/** A user and a network namespace made together, mapped and pinned to files. */
function makeSlot(directory: string): { readonly userNamespacePath: string; readonly networkNamespacePath: string } {
  writeFileSync(`${directory}/etc-file`, 'test\n');
  const paths = { userNamespacePath: `${directory}/userns`, networkNamespacePath: `${directory}/netns` };
  const holder = spawn('unshare', ['-Un', 'sleep', '60'], { stdio: 'ignore' });
  const proc = `/proc/${String(holder.pid)}`;
  waitForUserNamespace(proc);
  for (const map of ['uid_map', 'gid_map']) {
    writeFileSync(`${proc}/${map}`, `0 ${String(HOST_BASE)} 65536`);
  }
  for (const [path, kind] of [[paths.userNamespacePath, 'user'], [paths.networkNamespacePath, 'net']] as const) {
    writeFileSync(path, '');
    execFileSync('mount', ['--bind', `${proc}/ns/${kind}`, path]);
  }
  execFileSync('nsenter', [`--net=${paths.networkNamespacePath}`, 'ip', 'link', 'set', 'lo', 'up']);
  holder.kill('SIGKILL');
  return paths;
}

function waitForUserNamespace(proc: string): void {
  for (let tries = 0; tries < 2000; tries += 1) {
    if (execFileSync('readlink', [`${proc}/ns/user`], { encoding: 'utf8' }) !== execFileSync('readlink', ['/proc/self/ns/user'], { encoding: 'utf8' })) {
      return;
    }
  }
  throw new Error(`${proc} has no user namespace of its own`);
}

/** Processes whose command line names the sandbox: monitors and runtimes that should be gone. */
function processesNaming(directory: string): readonly string[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== process.pid).flatMap(pid => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return line.includes(directory) ? [`${pid}: ${line}`] : [];
    } catch {
      return [];
    }
  });
}
