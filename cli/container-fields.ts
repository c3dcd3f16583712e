/** Describe the fields of a container in the manifest: main container, init container, sidecar. */
import { HOST_NAMESPACES, SECURITY_PROFILES } from '#model/service.ts';
import { choice, leaf, list, mapping, named, required } from './field-docs.ts';
import type { FieldDoc } from './field-docs.ts';

const FILES = (where: string, mode: string): readonly FieldDoc[] => [
  required(leaf('source', 'text', 'Name in the configs or secrets section of the App')),
  leaf('target', 'text', `Absolute path in the container; default: ${where}`),
  leaf('uid', 'integer', 'Owner; default: the user of the container'),
  leaf('gid', 'integer', 'Group; default: the group of the user of the container'),
  leaf('mode', 'octal mode', 'Permissions of the file', mode),
];

const REQUESTS: readonly FieldDoc[] = [
  leaf('cpus', 'cpus', 'CPU cores; default: the limit if one is set, else 0.05'),
  leaf('memory', 'memory', 'Memory; default: the limit if one is set, else 32Mi'),
  leaf('disk', 'memory', 'Disk space of the node'),
  leaf('pids', 'integer', 'Number of processes and threads'),
  named('devices', 'units', 'Devices by the names that nodes offer, in whole units or as a fraction of one, such as nvidia.com/gpu: 2 or 0.5; fractions are counted, not enforced', [
    leaf('count', 'integer', 'Number of devices; default: 1'), leaf('share', 'units', 'Fraction of each device, such as 0.5; default: the whole device'),
  ]),
];

const IO: readonly FieldDoc[] = [
  leaf('weight', 'integer', 'Weight on a contended disk, 10 to 1000'),
  leaf('read_bps', 'memory', 'Maximum of bytes read per second'), leaf('write_bps', 'memory', 'Maximum of bytes written per second'),
  leaf('read_iops', 'integer', 'Maximum of reads per second'), leaf('write_iops', 'integer', 'Maximum of writes per second'),
];

const LIMITS: readonly FieldDoc[] = [
  leaf('cpus', 'cpus', 'Maximum of CPU cores; default: no limit'),
  leaf('memory', 'memory', 'Maximum of memory; the kernel kills a container that exceeds it; default: 512Mi, or the request if it is larger'),
  leaf('pids', 'integer', 'Maximum of processes and threads', '512'),
  leaf('cpuset', 'list of cpus', 'CPUs of the node that the container may use, such as "0-1,3"'),
  leaf('swap', 'memory', 'Swap space in addition to the memory limit', '0'),
  mapping('io', 'I/O limits on the disk that holds the state directory of the node', IO),
  leaf('storage', 'memory', 'Maximum of data that the container writes into its root file system'),
  named('hugepages', 'memory', 'Memory in huge pages, by page size, such as 2Mi: 64Mi'),
];

const SECURITY: readonly FieldDoc[] = [
  choice('profile', SECURITY_PROFILES, 'Security profile; the policy of the namespace sets the most permissive one'),
  leaf('user', 'word', 'User as NAME or UID, with an optional :GROUP or :GID; default: the user of the image'),
  leaf('read_only', 'true or false', 'Mount the root file system read-only; default: true with the profile restricted, else false'),
  list('cap_drop', 'text', 'Capabilities to remove, or ALL'),
  list('cap_add', 'text', 'Capabilities to add to those of the profile'),
  leaf('no_new_privileges', 'true or false', 'Set-uid programs gain no privileges', 'true'),
  choice('seccomp', ['default', 'unconfined'], 'System call filter', 'default'),
  ...HOST_NAMESPACES.map(name => choice(name, ['private', 'host'], `Choose the ${name === 'userns' ? 'user' : name} namespace; host needs the profile privileged${name === 'userns' || name === 'network' ? '' : '; sidecar:NAME joins that of a sidecar'}`, 'private')),
];

/** Fields that main containers, init containers and sidecars have. */
export const CONTAINER_FIELDS: readonly FieldDoc[] = [
  leaf('command', 'text or list of text', 'Command instead of CMD of the image'),
  leaf('entrypoint', 'text or list of text', 'Program instead of ENTRYPOINT of the image'),
  leaf('environment', 'mapping or list of NAME=value', 'Environment variables; ${NAME} is expanded from --var, --env-file and the environment of clusterctl'),
  leaf('working_dir', 'text', 'Working directory; default: that of the image'),
  mapping('resources', 'Resources that the scheduler reserves, and limits that the kernel enforces', [
    mapping('requests', 'Resources that the scheduler reserves on the node', REQUESTS), mapping('limits', 'Limits that the kernel enforces', LIMITS),
  ]),
  list('configs', 'text', 'Configs of the App that are mounted as files, by name or as a mapping', FILES('/NAME', '0444')),
  list('secrets', 'text', 'Secrets that are mounted as files on tmpfs, by name or as a mapping', FILES('/run/secrets/NAME', '0400')),
  list('volumes', 'NAME:/PATH', 'Mounts: volumes of the App, host paths if the namespace and the node allow them, tmpfs; the suffix :ro mounts read-only', [
    choice('type', ['volume', 'bind', 'tmpfs'], 'Type of the mount', 'volume'),
    leaf('source', 'text', 'Name of a declared volume; for a bind mount an absolute path of the node'),
    required(leaf('target', 'text', 'Absolute path in the container')),
    leaf('size', 'memory', 'Size of a tmpfs', '64Mi'),
    leaf('read_only', 'true or false', 'Mount read-only', 'false'),
  ]),
  mapping('security', 'Privileges of the container', SECURITY),
  leaf('init', 'true or false', 'Run a small init process as pid 1 that reaps zombies', 'false'),
  leaf('stop_signal', 'text', 'Signal that asks the main process to exit, with or without SIG; default: that of the image, else SIGTERM'),
  named('ulimits', 'integer', 'Process limits by name, such as nofile: 65536', [leaf('soft', 'integer', 'Limit in force'), leaf('hard', 'integer', 'Limit that a process may raise the soft limit to')]),
  leaf('shm_size', 'memory', 'Size of /dev/shm', '64Mi'),
];

export const RESTART: FieldDoc = mapping('restart', 'Restart policy of the container', [
  choice('policy', ['always', 'on-failure', 'never'], 'When to restart the container; default: always; never in a job, which retries with a new task'),
  leaf('max_attempts', 'integer', 'Maximum of restarts within the window; then the task has failed, and a new task replaces it', '5'),
  leaf('window', 'duration', 'Run time after which the count of restarts begins again', '10m'),
  leaf('delay', 'duration', 'Time before the second restart; it doubles with each restart', '1s'),
]);

/** Fields that only the main container has. */
export const MAIN_CONTAINER_FIELDS: readonly FieldDoc[] = [
  required(leaf('image', 'text', 'Image as [REGISTRY/]REPOSITORY[:TAG][@DIGEST]; `apply` resolves a tag to its digest; without a registry, the default registry of the cluster')),
  choice('pull_policy', ['always', 'if-not-present', 'never'], 'When a node asks the registry', 'if-not-present'),
  list('ports', 'PUBLISHED:TARGET', 'Ports to publish; the suffix /udp selects UDP; a target alone is reachable by service name only', [
    leaf('published', 'integer', 'Port on the nodes; default: not published'),
    required(leaf('target', 'integer', 'Port in the container')),
    choice('protocol', ['tcp', 'udp'], 'Transport protocol', 'tcp'),
    choice('mode', ['ingress', 'host'], 'Publish on every node (ingress), or only on nodes that run a task (host)', 'ingress'),
    list('allow_from', 'text', 'Address ranges that may connect, such as 10.0.0.0/8; default: all'),
  ]),
  mapping('healthcheck', 'Health check of the container: exactly one of http, tcp, grpc and test', [
    mapping('http', 'HTTP GET that must return a status from 200 to 399', [required(leaf('port', 'integer', 'Port in the container')), leaf('path', 'text', 'Path of the request; begins with /', '/')]),
    mapping('tcp', 'TCP connection that must be accepted', [required(leaf('port', 'integer', 'Port in the container'))]),
    mapping('grpc', 'Check call of grpc.health.v1 that must return SERVING', [required(leaf('port', 'integer', 'Port in the container')), leaf('service', 'text', 'Service name in the request; default: the whole server')]),
    leaf('test', 'text or list of text', 'Command that must exit with 0: text for a shell, [CMD, PROGRAM, ...] or [CMD-SHELL, TEXT]'),
    leaf('interval', 'duration', 'Time between two probes', '10s'),
    leaf('timeout', 'duration', 'Time after which a probe has failed', '2s'),
    leaf('retries', 'integer', 'Number of consecutive failures before the container is unhealthy and is restarted', '3'),
    leaf('start_period', 'duration', 'Time after the start in which failures are ignored', '0s'),
  ]),
  RESTART,
  leaf('stop_grace_period', 'duration', 'Time from the stop signal to SIGKILL', '10s'),
  leaf('hostname', 'text', 'Host name; default: the name of the task'),
  leaf('sysctls', 'mapping or list of NAME=value', 'Namespaced kernel parameters, such as net.core.somaxconn: "1024"'),
  list('extra_hosts', 'text', 'Entries for /etc/hosts, as NAME:ADDRESS'),
  mapping('dns', 'DNS settings that come before those of the cluster', [
    list('servers', 'text', 'Addresses of name servers'), list('search', 'text', 'Search domains'), list('options', 'text', 'Options as in resolv.conf, such as ndots:1'),
  ]),
  list('devices', 'word', 'Devices of the node that the node allows: /dev/fuse, /dev/fuse:/dev/mine, /dev/fuse:/dev/fuse:rw'),
  leaf('runtime', 'text', 'OCI runtime on the node', 'crun'),
  leaf('tty', 'true or false', 'Allocate a terminal for the main process', 'false'),
  leaf('stdin_open', 'true or false', 'Keep stdin of the main process open, for attach', 'false'),
];
