/** What must hold of one container: process, resources, ports, health check. */
import type { AppSpec } from './app.ts';
import { isDigest } from './digest.ts';
import type { Violation } from './errors.ts';
import { isLabel } from './ids.ts';
import { parseImageReference } from './image-reference.ts';
import { checkDevices, checkDns } from './device-rules.ts';
import { checkMounts } from './mount-rules.ts';
import { findNetworkProblem, isIpv4, isIpv6 } from './network-address.ts';
import { quoted } from './printable.ts';
import { checkRange } from './range-rules.ts';
import { checkResources } from './resource-rules.ts';
import { checkSecurity } from './security-rules.ts';
import type { ContainerSpec, HealthCheck, PublishedPort } from './service.ts';

const MAX_VALUE_BYTES = 128 * 1024;
const MAX_ENVIRONMENT_BYTES = 1024 * 1024;
const MAX_WORDS_BYTES = 128 * 1024;
const DAY_MS = 86_400_000;
const GRPC_SERVICE = /^[\x21-\x7e]{0,253}$/;

/** Source: signal(7), the standard signals, with the real-time range. */
const SIGNAL = /^SIG(?:HUP|INT|QUIT|ILL|TRAP|ABRT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD|CONT|STOP|TSTP|TTIN|TTOU|URG|XCPU|XFSZ|VTALRM|PROF|WINCH|IO|PWR|SYS|RTMIN(?:\+\d{1,2})?|RTMAX(?:-\d{1,2})?)$/;
/** Source: getrlimit(2). */
const ULIMITS: ReadonlySet<string> = new Set([
  'as', 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack',
]);
/** More than 0 takes CAP_SYS_RESOURCE of the machine. Source: setrlimit(2); an agent's own hard limits of both are 0 */
const MACHINE_ONLY: ReadonlySet<string> = new Set(['nice', 'rtprio']);

export function checkContainer(container: ContainerSpec, app: AppSpec, path: string): readonly Violation[] {
  return [
    ...checkImage(container, `${path}.image`),
    ...checkProcess(container, path),
    ...checkEnvironment(container, `${path}.environment`),
    ...container.ports.flatMap((port, index) => checkPort(port, container.ports.slice(0, index), `${path}.ports[${String(index)}]`)),
    ...(container.healthcheck === undefined ? [] : checkHealth(container.healthcheck, `${path}.healthcheck`)),
    ...checkRestart(container, `${path}.restart`),
    ...checkResources(container, `${path}.resources`),
    ...checkMounts(container, app, path),
    ...checkSecurity(container, path),
    ...checkUlimits(container, `${path}.ulimits`),
    ...checkHosts(container, `${path}.extra_hosts`),
    ...checkDns(container, `${path}.dns`),
    ...checkDevices(container, path),
    ...(container.shmSizeBytes > 0 ? [] : [{ path: `${path}.shm_size`, message: 'must be > 0' }]),
    ...(isLabel(container.runtime) ? [] : [{ path: `${path}.runtime`, message: `invalid name ${quoted(container.runtime)}; a runtime is named like crun` }]),
  ];
}

function checkImage(container: ContainerSpec, path: string): readonly Violation[] {
  const parsed = parseImageReference(container.image);
  if ('problem' in parsed) {
    return [{ path, message: parsed.problem }];
  }
  const isWhole = parsed.value.digest === undefined && (container.digest === undefined || isDigest(container.digest));
  return isWhole ? [] : [{ path, message: `image reference ${quoted(container.image)} has an invalid digest` }];
}

function checkProcess(container: ContainerSpec, path: string): readonly Violation[] {
  return [
    ...checkWords(container.entrypoint ?? [], `${path}.entrypoint`),
    ...checkWords(container.command ?? [], `${path}.command`),
    ...checkWorkingDir(container.workingDir, `${path}.working_dir`),
    ...(container.hostname === undefined || isLabel(container.hostname) ? []
      : [{ path: `${path}.hostname`, message: `${quoted(container.hostname)} is not an RFC 1123 label` }]),
    ...(container.stopSignal === undefined || SIGNAL.test(container.stopSignal) ? []
      : [{ path: `${path}.stop_signal`, message: `unknown signal ${quoted(container.stopSignal)}; write SIGTERM, SIGQUIT ...` }]),
    ...checkRange(container.stopGracePeriodMs, `${path}.stop_grace_period`, 0, DAY_MS),
  ];
}

/** An argument cannot hold NUL. Source: execve(2): strings end at NUL, one is at most 128 KiB (MAX_ARG_STRLEN). */
function checkWords(words: readonly string[], path: string): readonly Violation[] {
  return words.flatMap((word, index) => {
    if (word.includes('\0')) {
      return [{ path: `${path}[${String(index)}]`, message: `contains a NUL character: ${quoted(word)}` }];
    }
    return byteLength(word) < MAX_WORDS_BYTES ? [] : [{ path: `${path}[${String(index)}]`, message: 'must be shorter than 128 KiB' }];
  });
}

function checkWorkingDir(directory: string | undefined, path: string): readonly Violation[] {
  if (directory === undefined) {
    return [];
  }
  if (!directory.startsWith('/') || directory.split('/').includes('..') || directory.includes('\0')) {
    return [{ path, message: `${quoted(directory)} must be a clean absolute path` }];
  }
  return /^\/+proc(?:\/|$)/.test(directory) ? [{ path, message: 'must not be under /proc' }] : [];
}

function checkEnvironment({ environment }: ContainerSpec, path: string): readonly Violation[] {
  const seen = new Set<string>();
  const single = environment.flatMap(({ name, value }) => {
    const problem = findVariableProblem(name, value) ?? (seen.has(name) ? `${quoted(name)} is set twice` : undefined);
    seen.add(name);
    return problem === undefined ? [] : [{ path, key: name, message: problem }];
  });
  const totalBytes = environment.reduce((sum, { name, value }) => sum + byteLength(name) + byteLength(value) + 2, 0);
  return totalBytes <= MAX_ENVIRONMENT_BYTES ? single
    : [...single, { path, message: `is ${String(totalBytes)} bytes in all; at most ${String(MAX_ENVIRONMENT_BYTES)} (1 MiB)` }];
}

function findVariableProblem(name: string, value: string): string | undefined {
  if (name === '' || /[=\0\r\n]/.test(name)) {
    return `invalid name ${quoted(name)}; a variable's name is not empty and has no = or NUL`;
  }
  if (value.includes('\0')) {
    return `the value of ${quoted(name)} contains a NUL character`;
  }
  return byteLength(value) > MAX_VALUE_BYTES ? `the value of ${quoted(name)} is longer than 128 KiB` : undefined;
}

function checkPort(port: PublishedPort, earlier: readonly PublishedPort[], path: string): readonly Violation[] {
  const isTaken = port.published !== undefined
    && earlier.some(other => other.published === port.published && other.protocol === port.protocol);
  return [
    ...(port.published === undefined ? [] : checkRange(port.published, `${path}.published`, 1, 65_535)),
    ...(isTaken ? [{ path: `${path}.published`, message: `port ${String(port.published)}/${port.protocol} is already published above` }] : []),
    ...checkRange(port.target, `${path}.target`, 1, 65_535),
    ...(port.published === undefined && port.mode === 'host' ? [{ path: `${path}.published`, message: 'required with mode host' }] : []),
    ...port.allowFrom.flatMap((network, index) => {
      const problem = findNetworkProblem(network);
      return problem === undefined ? [] : [{ path: `${path}.allow_from[${String(index)}]`, message: problem }];
    }),
  ];
}

function checkHealth(health: HealthCheck, path: string): readonly Violation[] {
  return [
    ...checkAction(health, path),
    ...checkPositiveTime(health.intervalMs, `${path}.interval`),
    ...checkPositiveTime(health.timeoutMs, `${path}.timeout`),
    ...checkRange(health.retries, `${path}.retries`, 1, 1000),
    ...checkRange(health.startPeriodMs, `${path}.start_period`, 0, DAY_MS),
  ];
}

function checkAction({ action }: HealthCheck, path: string): readonly Violation[] {
  switch (action.kind) {
    case 'exec':
      return action.command.length === 0 ? [{ path: `${path}.test`, message: 'must name a program' }] : checkWords(action.command, `${path}.test`);
    case 'tcp':
      return checkRange(action.port, `${path}.tcp.port`, 1, 65_535);
    case 'http':
      return [
        ...checkRange(action.port, `${path}.http.port`, 1, 65_535),
        ...(/^\/[\x21-\x7e]*$/.test(action.path) ? [] : [{ path: `${path}.http.path`, message: `${quoted(action.path)} must begin with / and be printable ASCII without spaces` }]),
      ];
    case 'grpc':
      return [
        ...checkRange(action.port, `${path}.grpc.port`, 1, 65_535),
        ...(GRPC_SERVICE.test(action.service) ? [] : [{ path: `${path}.grpc.service`, message: `${quoted(action.service)} is no name of a gRPC service, such as shop.v1.Cart; without it the server as a whole is asked` }]),
      ];
  }
}

function checkPositiveTime(timeMs: number, path: string): readonly Violation[] {
  return timeMs > 0 && timeMs <= DAY_MS ? [] : [{ path, message: 'must be more than 0 and at most a day' }];
}

function checkRestart({ restart }: ContainerSpec, path: string): readonly Violation[] {
  return [
    ...checkRange(restart.maxAttempts, `${path}.max_attempts`, 0, 10_000),
    ...checkPositiveTime(restart.windowMs, `${path}.window`),
    ...checkRange(restart.delayMs, `${path}.delay`, 0, DAY_MS),
  ];
}

function checkUlimits({ ulimits, security }: ContainerSpec, path: string): readonly Violation[] {
  return ulimits.flatMap(({ name, soft, hard }) => {
    if (!ULIMITS.has(name)) {
      return [{ path, key: name, message: `unknown ulimit ${quoted(name)}; known: ${[...ULIMITS].join(' ')}` }];
    }
    const isGood = Number.isSafeInteger(soft) && Number.isSafeInteger(hard) && soft >= 0 && soft <= hard;
    if (!isGood) {
      return [{ path, key: name, message: 'must be whole numbers with 0 <= soft <= hard' }];
    }
    return hard > 0 && MACHINE_ONLY.has(name) && !security.hostNamespaces.includes('userns')
      ? [{ path, key: name, message: `is 0 in a container's user namespace: the kernel gives more to the machine's root alone (profile privileged with userns: host)` }] : [];
  });
}

function checkHosts({ extraHosts }: ContainerSpec, path: string): readonly Violation[] {
  return extraHosts.flatMap(({ name, address }, index) => {
    if (!name.split('.').every(isLabel)) {
      return [{ path: `${path}[${String(index)}]`, message: `${quoted(name)} is not a host name` }];
    }
    return isIpv4(address) || isIpv6(address) ? [] : [{ path: `${path}[${String(index)}]`, message: `${quoted(address)} is not an IP address` }];
  });
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}
