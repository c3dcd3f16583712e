/** The fields of one container in the manifest: of a service, and those that an init container or a sidecar has too. */
import { HOST_NAMESPACES, SECURITY_PROFILES } from '#model/service.ts';
import { choice, leaf, list, mapping, named, required } from './field-docs.ts';
import type { FieldDoc } from './field-docs.ts';

const FILES = (where: string, mode: string): readonly FieldDoc[] => [
  required(leaf('source', 'text', 'name where it is declared')),
  leaf('target', 'text', `absolute path in the container; default: ${where}`),
  leaf('uid', 'integer', 'owner; default: the container\'s user'),
  leaf('gid', 'integer', 'group; default: the container\'s user\'s'),
  leaf('mode', 'octal mode', 'permissions', mode),
];

const REQUESTS: readonly FieldDoc[] = [
  leaf('cpus', 'cpus', 'cores; default: the limit that is written, else 0.05'),
  leaf('memory', 'memory', 'default: the limit that is written, else 32Mi'),
  leaf('disk', 'memory', 'space of the node\'s disk'),
  leaf('pids', 'integer', 'processes and threads'),
  named('devices', 'units', 'of each device that nodes offer, whole units or a share of one, such as nvidia.com/gpu: 2 or 0.5; shares are counted, not enforced', [
    leaf('count', 'integer', 'how many; default: 1'), leaf('share', 'units', 'of each, such as 0.5; default: all of it'),
  ]),
];

const IO: readonly FieldDoc[] = [
  leaf('weight', 'integer', 'share of a contended disk, 10 to 1000'),
  leaf('read_bps', 'memory', 'bytes read each second'), leaf('write_bps', 'memory', 'bytes written each second'),
  leaf('read_iops', 'integer', 'reads each second'), leaf('write_iops', 'integer', 'writes each second'),
];

const LIMITS: readonly FieldDoc[] = [
  leaf('cpus', 'cpus', 'cores at most; default: as many as are free'),
  leaf('memory', 'memory', 'beyond it the container is killed; default: 512Mi, or the request where that is more'),
  leaf('pids', 'integer', 'processes and threads', '512'),
  leaf('cpuset', 'list of cpus', 'only these cpus of the node, such as "0-1,3"'),
  leaf('swap', 'memory', 'beyond the memory', '0'),
  mapping('io', 'of the disk that the node keeps its state on', IO),
  leaf('storage', 'memory', 'what it writes into its root file system'),
  named('hugepages', 'memory', 'memory in huge pages, by their size, such as 2Mi: 64Mi'),
];

const SECURITY: readonly FieldDoc[] = [
  choice('profile', SECURITY_PROFILES, 'what it may ask for; the namespace says which is the widest'),
  leaf('user', 'word', 'name or uid, with :group or :gid after it; default: the image\'s'),
  leaf('read_only', 'true or false', 'root file system; default: true with the profile restricted, else false'),
  list('cap_drop', 'text', 'capabilities it does not get, or ALL'),
  list('cap_add', 'text', 'capabilities beside those of the profile'),
  leaf('no_new_privileges', 'true or false', 'set-uid programs gain nothing', 'true'),
  choice('seccomp', ['default', 'unconfined'], 'filter of system calls', 'default'),
  ...HOST_NAMESPACES.map(name => choice(name, ['private', 'host'], `${name === 'userns' ? 'user' : name} namespace; host needs the profile privileged${name === 'userns' || name === 'network' ? '' : '; or sidecar:NAME, that of a sidecar'}`, 'private')),
];

/** What a container of its own has, be it the main one, an init container or a sidecar. */
export const CONTAINER_FIELDS: readonly FieldDoc[] = [
  leaf('command', 'text or list of text', 'in the place of the image\'s CMD'),
  leaf('entrypoint', 'text or list of text', 'in the place of the image\'s ENTRYPOINT'),
  leaf('environment', 'mapping or list of NAME=value', 'variables; ${NAME} is expanded from --var, --env-file and the environment of clusterctl'),
  leaf('working_dir', 'text', 'default: the image\'s'),
  mapping('resources', 'what placement counts, and what the kernel enforces', [
    mapping('requests', 'what placement counts', REQUESTS), mapping('limits', 'what the kernel enforces', LIMITS),
  ]),
  list('configs', 'text', 'configs of the App as files, by name or as a mapping', FILES('/NAME', '0444')),
  list('secrets', 'text', 'secrets as files on tmpfs, by name or as a mapping', FILES('/run/secrets/NAME', '0400')),
  list('volumes', 'NAME:/PATH', 'volumes of the App, host paths where namespace and node allow them, tmpfs; :ro after it for reading only', [
    choice('type', ['volume', 'bind', 'tmpfs'], 'what is mounted', 'volume'),
    leaf('source', 'text', 'a declared volume, or of a bind an absolute path of the node'),
    required(leaf('target', 'text', 'absolute path in the container')),
    leaf('size', 'memory', 'of a tmpfs', '64Mi'),
    leaf('read_only', 'true or false', 'nothing can be written there', 'false'),
  ]),
  mapping('security', 'what the container may do', SECURITY),
  leaf('init', 'true or false', 'a small reaper as pid 1', 'false'),
  leaf('stop_signal', 'text', 'with or without SIG; default: the image\'s, else SIGTERM'),
  named('ulimits', 'integer', 'limits of processes by name, such as nofile: 65536', [leaf('soft', 'integer', 'what is in force'), leaf('hard', 'integer', 'what a process may raise it to')]),
  leaf('shm_size', 'memory', 'of /dev/shm', '64Mi'),
];

export const RESTART: FieldDoc = mapping('restart', 'what follows when the process ends', [
  choice('policy', ['always', 'on-failure', 'never'], 'default: always; never in a job, which tries again with another task'),
  leaf('max_attempts', 'integer', 'restarts within the window; after them the task has failed, and another follows it', '5'),
  leaf('window', 'duration', 'a run as long as this gives all restarts back', '10m'),
  leaf('delay', 'duration', 'before the second restart; it doubles from one to the next', '1s'),
]);

/** What only the main container has. */
export const MAIN_CONTAINER_FIELDS: readonly FieldDoc[] = [
  required(leaf('image', 'text', 'as [REGISTRY/]REPOSITORY[:TAG][@DIGEST]; a tag means its digest at the apply; without a registry the cluster\'s default one')),
  choice('pull_policy', ['always', 'if-not-present', 'never'], 'whether a node asks the registry', 'if-not-present'),
  list('ports', 'PUBLISHED:TARGET', 'ports that are reached from outside, with /udp after it for UDP; a target alone is only found by name', [
    leaf('published', 'integer', 'port on the nodes; default: not published'),
    required(leaf('target', 'integer', 'port in the container')),
    choice('protocol', ['tcp', 'udp'], 'of the transport', 'tcp'),
    choice('mode', ['ingress', 'host'], 'on every node, or only on those that run a task', 'ingress'),
    list('allow_from', 'text', 'address ranges that may connect, such as 10.0.0.0/8; default: all'),
  ]),
  mapping('healthcheck', 'how the container shows that it works: one of http, tcp, grpc and test', [
    mapping('http', 'GET that answers 200 to 399', [required(leaf('port', 'integer', 'in the container')), leaf('path', 'text', 'begins with /', '/')]),
    mapping('tcp', 'a connection that is taken', [required(leaf('port', 'integer', 'in the container'))]),
    mapping('grpc', 'the Check of grpc.health.v1 answers SERVING', [required(leaf('port', 'integer', 'in the container')), leaf('service', 'text', 'the one that is asked for; default: the server as a whole')]),
    leaf('test', 'text or list of text', 'a command that ends with 0: text for a shell, [CMD, PROGRAM, ...] or [CMD-SHELL, TEXT]'),
    leaf('interval', 'duration', 'from one probe to the next', '10s'),
    leaf('timeout', 'duration', 'a probe that takes longer has failed', '2s'),
    leaf('retries', 'integer', 'failures in a row that make it unhealthy; then it is restarted', '3'),
    leaf('start_period', 'duration', 'failures so long after the start do not count', '0s'),
  ]),
  RESTART,
  leaf('stop_grace_period', 'duration', 'from the stop signal to KILL', '10s'),
  leaf('hostname', 'text', 'default: the task\'s name'),
  leaf('sysctls', 'mapping or list of NAME=value', 'kernel settings that have a namespace, such as net.core.somaxconn: "1024"'),
  list('extra_hosts', 'text', 'NAME:ADDRESS for /etc/hosts'),
  mapping('dns', 'in front of the cluster\'s own', [
    list('servers', 'text', 'addresses of name servers'), list('search', 'text', 'domains that names are looked up in'), list('options', 'text', 'as in resolv.conf, such as ndots:1'),
  ]),
  list('devices', 'word', 'devices of the node that it allows: /dev/fuse, /dev/fuse:/dev/mine, /dev/fuse:/dev/fuse:rw'),
  leaf('runtime', 'text', 'OCI runtime of the node', 'crun'),
  leaf('tty', 'true or false', 'a terminal for its process', 'false'),
  leaf('stdin_open', 'true or false', 'keep its stdin open, for attach', 'false'),
];
