/** Describe every field of the manifest: type, default, meaning. A test compares them with the schema. */
import { PLACEMENT_POLICIES, PROMOTE_MODES } from '#model/service.ts';
import { CONTAINER_FIELDS, MAIN_CONTAINER_FIELDS, RESTART } from './container-fields.ts';
import { choice, leaf, list, mapping, named, required } from './field-docs.ts';
import type { FieldDoc } from './field-docs.ts';

const neighbours = (name: string, about: string): FieldDoc => list(name, 'text', about, [
  required(leaf('service', 'text', 'SERVICE of this App, or APP/SERVICE of another one')),
  leaf('label', 'text', 'Node label: nodes with the same value of this label count as one place', 'node'),
  leaf('weight', 'integer', 'Weight of a preference; without a weight it is a requirement'),
]);

const PLACEMENT: readonly FieldDoc[] = [
  list('require', 'text', 'Rules that a node must meet: LABEL OP VALUE with == != in not-in exists not-exists > <, such as "disk == ssd"'),
  list('prefer', undefined, 'Rules that rank the nodes that are left', [required(leaf('rule', 'text', 'A rule, written as in require')), leaf('weight', 'integer', 'Weight of the rule', '1')]),
  list('spread', 'text', 'Node labels whose values tasks are spread over evenly; the first label comes first'),
  named('max_per', 'integer', 'Maximum of tasks on nodes with the same value of a label, such as node: 2'),
  list('tolerate', 'text', 'Taints of nodes that the service accepts'),
  neighbours('affinity', 'Services that must run nearby, by name or as a mapping'),
  neighbours('avoid', 'Services that must not run nearby, by name or as a mapping'),
  choice('policy', PLACEMENT_POLICIES, 'Spread tasks over many nodes, or pack them on few; default: the policy of the cluster'),
  leaf('priority', 'integer', 'Priority; a pending task may preempt running tasks of lower priority', '0'),
  leaf('gang', 'true or false', 'Start all tasks at once, or none', 'false'),
];

const UPDATE: readonly FieldDoc[] = [
  choice('strategy', ['rolling', 'canary', 'blue_green', 'recreate'], 'Strategy that replaces the tasks of one revision by those of the next', 'rolling'),
  leaf('max_surge', 'integer', 'Tasks above the number of replicas during an update; default 0 for a service whose lost tasks are not replaced', '1'),
  leaf('max_unavailable', 'integer', 'Tasks that may be missing during an update; default 1 for a service whose lost tasks are not replaced', '0'),
  leaf('monitor', 'duration', 'Time that a new task must stay healthy before the update continues', '5s'),
  choice('on_failure', ['rollback', 'pause'], 'Action when new tasks fail', 'rollback'),
  list('steps', 'percent', 'Steps of a canary: percentages of the replicas, one after the other'),
  choice('promote', PROMOTE_MODES, 'Continue a canary or blue_green update automatically, or after `rollout promote`; default: auto'),
  leaf('progress_deadline', 'duration', 'Time without progress after which the update has failed'),
];

const AUTOSCALE: readonly FieldDoc[] = [
  leaf('min', 'integer', 'Minimum of replicas; 0 is allowed with a metric', '1'),
  required(leaf('max', 'integer', 'Maximum of replicas')),
  leaf('cpu', 'percent', 'Target: CPU in use as a percentage of the CPU requests, on average over the tasks'),
  leaf('memory', 'percent', 'Target: memory in use as a percentage of the memory requests, on average over the tasks'),
  mapping('metric', 'Target: the value of a Prometheus query', [required(leaf('query', 'text', 'PromQL query that returns one value')), required(leaf('target', 'number', 'Value per replica'))]),
  mapping('stabilization', 'Time that a new number of replicas must be wanted before it is set; a single duration sets `down`', [leaf('up', 'duration', 'Time before replicas are added', '0s'), leaf('down', 'duration', 'Time before replicas are removed', '5m')], { leaf: 'duration' }),
];

const SERVICE: readonly FieldDoc[] = [
  choice('kind', ['service', 'global', 'stateful', 'job', 'cron'], 'Workload kind: service (N replicas), global (one per node), stateful (stable names and volumes), job (runs to completion), cron (runs on a schedule)', 'service'),
  leaf('replicas', 'integer', 'Number of tasks; not for a global service', '1'),
  ...MAIN_CONTAINER_FIELDS,
  ...CONTAINER_FIELDS,
  leaf('labels', 'mapping or list of NAME=value', 'Labels to select the service by, with -l'),
  mapping('placement', 'Rules that choose the nodes of the tasks', PLACEMENT),
  mapping('update', 'Rules for replacing the tasks when the service changes', UPDATE),
  named('depends_on', undefined, 'Services of the App that must be up first; also a list of names', [
    choice('condition', ['service_started', 'service_healthy', 'service_completed_successfully'], 'State of that service to wait for', 'service_started'),
  ]),
  mapping('on_disconnect', 'Behaviour when the node of a task is lost', [
    leaf('replace_after', 'duration', 'Replace a task after its node was lost for this long, or never; default: 50s, and never for stateful; with stop_after: stop_after + stop_grace_period + 10s, at least 50s'),
    leaf('stop_after', 'duration', 'Stop the task after its node was cut off for this long, so that a replica never has two copies; default: the task keeps running'),
  ]),
  list('init_containers', undefined, 'Containers that run before the main container, one after the other, each until it exits with 0', [required(leaf('name', 'text', 'Name, an RFC 1123 label')), leaf('image', 'text', 'Image; default: the image of the service'), ...CONTAINER_FIELDS]),
  list('sidecars', undefined, 'Containers that run beside the main container, in its network namespace, for the life of the task', [required(leaf('name', 'text', 'Name, an RFC 1123 label')), leaf('image', 'text', 'Image; default: the image of the service'), ...CONTAINER_FIELDS, RESTART]),
  mapping('autoscale', 'Number of replicas by the resource usage of the tasks, or by a metric', AUTOSCALE),
  mapping('job', 'Settings of kinds job and cron', [
    leaf('completions', 'integer', 'Number of tasks that must exit with 0; used instead of replicas', '1'),
    leaf('parallelism', 'integer', 'Number of tasks that run at the same time; default: all'),
    leaf('retries', 'integer', 'Number of tasks that may fail, for each completion', '3'),
    leaf('timeout', 'duration', 'Time after which an unfinished job has failed'),
    leaf('keep', 'duration', 'Time that an ended job is kept before it is deleted'),
  ]),
  leaf('schedule', 'text', 'Schedule of a cron: five fields, or a name such as @daily'),
  leaf('timezone', 'text', 'Time zone of the schedule of a cron', 'UTC'),
  choice('concurrency', ['allow', 'forbid', 'replace'], 'Action of a cron when the previous run is still running', 'allow'),
  leaf('starting_deadline', 'duration', 'Skip a run of a cron that is later than this'),
  mapping('history', 'Number of ended runs of a cron that are kept', [leaf('succeeded', 'integer', 'Number of successful runs', '3'), leaf('failed', 'integer', 'Number of failed runs', '1')]),
  leaf('suspend', 'true or false', 'Suspend a cron: start no new runs', 'false'),
];

/** A document, from its root. */
export const MANIFEST: FieldDoc = mapping('', 'An App: services, with the configs, secrets and volumes that they mount', [
  required(choice('apiVersion', ['gantry/v1'], 'Version of the manifest format')),
  required(choice('kind', ['App'], 'Kind of the document')),
  mapping('metadata', 'Name and namespace of the App', [
    required(leaf('name', 'text', 'Name, an RFC 1123 label')), leaf('namespace', 'text', 'Namespace; default: the value of -n, else "default"'),
  ], { isRequired: true }),
  named('services', undefined, 'Services by name', SERVICE),
  named('configs', undefined, 'Files for tasks, by name; each change creates a new version', [leaf('file', 'text', 'Path of a file, relative to the manifest; its bytes are stored unchanged'),
    leaf('content', 'text', 'Text of the file; ${NAME} is expanded as everywhere in the manifest, $$ is a dollar sign')]),
  named('secrets', undefined, 'Secret values for tasks, by name', [
    leaf('external', 'true or false', 'The secret was created with `clusterctl secret create`; default: false'), leaf('file', 'text', 'Path of a file with the value, relative to the manifest'), leaf('env', 'text', 'Environment variable of clusterctl with the value'),
  ]),
  named('volumes', undefined, 'Persistent directories, by name', [
    leaf('size', 'memory', 'Disk space that is reserved for the volume'), leaf('per_replica', 'true or false', 'Create one volume per replica', 'false'), choice('access', ['local'], 'Type of access: local (a directory of one node)', 'local'),
  ]),
]);
