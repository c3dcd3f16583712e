/** Every field of the manifest with its type, its default and its meaning; a test holds it equal to what the schema reads. */
import { PLACEMENT_POLICIES, PROMOTE_MODES } from '#model/service.ts';
import { CONTAINER_FIELDS, MAIN_CONTAINER_FIELDS, RESTART } from './container-fields.ts';
import { choice, leaf, list, mapping, named, required } from './field-docs.ts';
import type { FieldDoc } from './field-docs.ts';

const neighbours = (name: string, about: string): FieldDoc => list(name, 'text', about, [
  required(leaf('service', 'text', 'SERVICE of this App, or APP/SERVICE')),
  leaf('label', 'text', 'of the nodes: on nodes with the same value of it', 'node'),
  leaf('weight', 'integer', 'with it a wish that counts so much; without it a rule'),
]);

const PLACEMENT: readonly FieldDoc[] = [
  list('require', 'text', 'rules that a node must keep: LABEL OP VALUE with == != in not-in exists not-exists > <, such as "disk == ssd"'),
  list('prefer', undefined, 'rules that count where several nodes are left', [required(leaf('rule', 'text', 'as of require')), leaf('weight', 'integer', 'how much it counts', '1')]),
  list('spread', 'text', 'labels over whose values tasks are spread evenly, the first one first'),
  named('max_per', 'integer', 'tasks at most on nodes with the same value of a label, such as node: 2'),
  list('tolerate', 'text', 'taints of nodes that it accepts'),
  neighbours('affinity', 'services whose tasks must be near, by name or as a mapping'),
  neighbours('avoid', 'services whose tasks must not be near'),
  choice('policy', PLACEMENT_POLICIES, 'over many nodes, or on few; default: the cluster\'s'),
  leaf('priority', 'integer', 'a higher one may take the place of a lower one', '0'),
  leaf('gang', 'true or false', 'all tasks start at once, or none', 'false'),
];

const UPDATE: readonly FieldDoc[] = [
  choice('strategy', ['rolling', 'canary', 'blue_green', 'recreate'], 'how tasks of one revision follow those of another', 'rolling'),
  leaf('max_surge', 'integer', 'tasks beyond the replicas meanwhile; 0 for a service that is not replaced when its node is lost', '1'),
  leaf('max_unavailable', 'integer', 'tasks that may be missing meanwhile; 1 for a service that is not replaced when its node is lost', '0'),
  leaf('monitor', 'duration', 'a new task that works so long is good', '5s'),
  choice('on_failure', ['rollback', 'pause'], 'what follows when new tasks fail', 'rollback'),
  list('steps', 'percent', 'of a canary: shares of the replicas, one after the other'),
  choice('promote', PROMOTE_MODES, 'of a canary or blue_green: by itself, or by rollout promote; default: auto'),
  leaf('progress_deadline', 'duration', 'nothing new that got on for so long is a failure'),
];

const AUTOSCALE: readonly FieldDoc[] = [
  leaf('min', 'integer', 'replicas at least; 0 with a metric', '1'),
  required(leaf('max', 'integer', 'replicas at most')),
  leaf('cpu', 'percent', 'of the requests, on average over the tasks'),
  leaf('memory', 'percent', 'of the requests, on average over the tasks'),
  mapping('metric', 'a query of Prometheus', [required(leaf('query', 'text', 'PromQL with one value')), required(leaf('target', 'number', 'of the value for each replica'))]),
  mapping('stabilization', 'how long a wish must last: a time alone is that of the way down', [leaf('up', 'duration', 'before there are more', '0s'), leaf('down', 'duration', 'before there are fewer', '5m')], { leaf: 'duration' }),
];

const SERVICE: readonly FieldDoc[] = [
  choice('kind', ['service', 'global', 'stateful', 'job', 'cron'], 'as many as replicas; one on every node; with names and volumes that stay; to an end; at times', 'service'),
  leaf('replicas', 'integer', 'tasks; not of a global service', '1'),
  ...MAIN_CONTAINER_FIELDS,
  ...CONTAINER_FIELDS,
  leaf('labels', 'mapping or list of NAME=value', 'to find it by, with -l'),
  mapping('placement', 'on which nodes its tasks run', PLACEMENT),
  mapping('update', 'how its tasks are replaced', UPDATE),
  named('depends_on', undefined, 'services of the App that it starts after; or a list of names', [
    choice('condition', ['service_started', 'service_healthy', 'service_completed_successfully'], 'what it waits for', 'service_started'),
  ]),
  mapping('on_disconnect', 'when its node is lost', [
    leaf('replace_after', 'duration', 'a task there is replaced after this; or never; default: 50s, never of stateful; with stop_after the sum of that, stop_grace_period and 10s, at least 50s'),
    leaf('stop_after', 'duration', 'cut off for so long the node stops the task itself: never two copies of a replica; default: it runs on'),
  ]),
  list('init_containers', undefined, 'containers that run one after the other, each to exit code 0, before the main one', [required(leaf('name', 'text', 'RFC 1123 label')), leaf('image', 'text', 'default: the service\'s'), ...CONTAINER_FIELDS]),
  list('sidecars', undefined, 'containers beside the main one, in its network, as long as the task lives', [required(leaf('name', 'text', 'RFC 1123 label')), leaf('image', 'text', 'default: the service\'s'), ...CONTAINER_FIELDS, RESTART]),
  mapping('autoscale', 'replicas by what its tasks use', AUTOSCALE),
  mapping('job', 'of kind job and cron', [
    leaf('completions', 'integer', 'tasks that must end with 0; in the place of replicas', '1'),
    leaf('parallelism', 'integer', 'tasks at once; default: all'),
    leaf('retries', 'integer', 'tasks that may fail, for each that must end with 0', '3'),
    leaf('timeout', 'duration', 'after it the job has failed'),
    leaf('keep', 'duration', 'how long the job stays to be looked at after its end'),
  ]),
  leaf('schedule', 'text', 'of a cron: five fields, or @daily and the like'),
  leaf('timezone', 'text', 'of a cron\'s schedule', 'UTC'),
  choice('concurrency', ['allow', 'forbid', 'replace'], 'of a cron: a run while another one goes on', 'allow'),
  leaf('starting_deadline', 'duration', 'of a cron: a run that is later than this is left out'),
  mapping('history', 'of a cron: ended runs that are kept', [leaf('succeeded', 'integer', 'that succeeded', '3'), leaf('failed', 'integer', 'that failed', '1')]),
  leaf('suspend', 'true or false', 'of a cron: no runs for now', 'false'),
];

/** A document, from its root. */
export const MANIFEST: FieldDoc = mapping('', 'an App: services, with the configs, secrets and volumes that they mount', [
  required(choice('apiVersion', ['gantry/v1'], 'of the document')),
  required(choice('kind', ['App'], 'of the document')),
  mapping('metadata', 'what the App is called', [
    required(leaf('name', 'text', 'RFC 1123 label')), leaf('namespace', 'text', 'default: that of -n, else default'),
  ], { isRequired: true }),
  named('services', undefined, 'what runs, by name', SERVICE),
  named('configs', undefined, 'files that tasks see, by name; each change is a new version', [leaf('file', 'text', 'path of a file beside the manifest; its bytes are taken unchanged'),
    leaf('content', 'text', 'the text itself; ${NAME} is expanded as everywhere in the manifest, $$ is a dollar')]),
  named('secrets', undefined, 'values that only tasks see, by name', [
    leaf('external', 'true or false', 'made by clusterctl secret create; default: false'), leaf('file', 'text', 'beside the manifest'), leaf('env', 'text', 'variable of clusterctl\'s environment'),
  ]),
  named('volumes', undefined, 'directories that stay, by name', [
    leaf('size', 'memory', 'space that is kept for it'), leaf('per_replica', 'true or false', 'one for each slot', 'false'), choice('access', ['local'], 'it lives on one node', 'local'),
  ]),
]);
