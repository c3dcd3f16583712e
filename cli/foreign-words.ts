/** Commands of docker, kubectl and nomad that have another name here. */

/** The command here -> the words elsewhere, separated by commas. A command of two words comes before one of its first word alone. */
const WORDS_HERE: ReadonlyMap<string, string> = new Map(Object.entries({
  'node drain NODE': 'drain,node update,swarm leave', 'node cordon NODE': 'cordon,node eligibility', 'node uncordon NODE': 'uncordon', 'node taint NODE TAINT': 'taint',
  'node ls': 'nodes,node status', 'ps --node NODE': 'node ps',
  'apply -f FILE': 'create,deploy,up,edit,set,patch,replace,expose,autoscale,compose up,stack deploy,service create,service update,job run',
  'apply -f FILE --dry-run': 'compose config,job validate', 'update APP/SERVICE': 'set resources',
  'delete TARGET': 'rm,remove,container rm', 'delete -f FILE': 'down,compose down', 'delete app/APP': 'stack rm,job stop', 'delete svc/APP/SERVICE': 'service rm',
  'scale APP/SERVICE=REPLICAS': 'start,resize,service scale,compose start,job scale', 'rollout history APP/SERVICE': 'history,job history',
  'rollout undo APP/SERVICE': 'service rollback,job revert', 'restart APP/SERVICE': 'compose restart,container restart,alloc restart',
  'stop APP/SERVICE': 'compose stop,container stop,alloc stop', 'trigger APP/SERVICE': 'job dispatch', 'plan -f FILE': 'eval,job plan', 'events -f': 'monitor,system events',
  'get svc': 'svc,service,services,deployment,deployments,port,service ls,stack services', 'get apps': 'app,apps,stack,stacks,compose,stack ls,compose ls',
  'get jobs': 'job,jobs,job status', 'get crons': 'cron,crons,cronjob,cronjobs', ps: 'pod,pods,ls,task,tasks,container,containers,alloc,allocs,container ls,compose ps',
  'ps APP/SERVICE': 'service ps', 'ps app/APP': 'stack ps', 'logs APP/SERVICE': 'service logs,compose logs', 'logs TASK': 'container logs,alloc logs',
  'exec -it APP/SERVICE -- sh': 'compose exec', 'exec -it TASK -- sh': 'container exec,alloc exec', 'run IMAGE': 'container run,compose run', 'inspect TARGET': 'container inspect',
  'inspect svc/APP/SERVICE': 'service inspect', 'describe task/ID': 'alloc status',
  'rmi IMAGE': 'system prune,image prune', 'volume rm NAME': 'volume prune', 'volume ls': 'volumes', 'volume ls -s': 'system df', 'secret ls': 'secrets',
  'secret create NAME --from-file FILE': 'create secret', 'get configs': 'configs', 'namespace ls': 'namespaces,ns', 'namespace set NAME': 'create namespace,create ns,namespace create,namespace apply',
  'context ls': 'config,contexts,config get-contexts,config view,config current-context', 'context use NAME': 'config use-context', 'version -o json': 'info,cluster-info,server,system info,system',
  'get apps,svc,tasks': 'status', explain: 'api-resources', init: 'swarm init', 'join ADDRESS': 'swarm join', 'token create': 'swarm,swarm join-token,create token',
}).flatMap(([here, words]) => words.split(',').map(word => [word, here] as const)));

/** Other words of a group's verbs. */
const VERBS_HERE: ReadonlyMap<string, string> = new Map(Object.entries({ list: 'ls', delete: 'rm', remove: 'rm', show: 'inspect', describe: 'inspect', status: 'ls' }));

/** Commands of these names concern no namespace. */
const CLUSTER_WIDE: readonly string[] = ['node', 'namespace', 'context', 'token', 'init', 'join', 'explain', 'version', 'rmi'];

/** What to write for the words, behind `clusterctl`; the second word counts where it makes a difference. Undefined where nothing comes near. */
export function wordHere(...words: readonly string[]): string | undefined {
  return WORDS_HERE.get(words.slice(0, 2).join(' ')) ?? (words[0] === undefined ? undefined : WORDS_HERE.get(words[0]));
}

/** What to write for a word behind a group: its verb of another name, or another command. @param verbs  of the group */
export function wordInGroup(group: string, word: string, verbs: readonly string[]): string | undefined {
  const verb = VERBS_HERE.get(word);
  return WORDS_HERE.get(`${group} ${word}`) ?? (verb !== undefined && verbs.includes(verb) ? `${group} ${verb}` : undefined);
}

/** ` -n prod` or ` -A`, as the words of the call have it, behind a command that concerns namespaces; else nothing. */
export function namespaceFlag(command: string, words: readonly string[]): string {
  const [verb = ''] = command.split(' ');
  if (CLUSTER_WIDE.includes(verb)) {
    return '';
  }
  for (const [index, word] of words.entries()) {
    if (word === '-A' || word === '--all-namespaces') {
      return ' -A';
    }
    const name = word === '-n' || word === '--namespace' ? words[index + 1] : /^(?:--namespace=|-n=?)(?<name>[a-z0-9-]+)$/.exec(word)?.groups?.['name'];
    if (name !== undefined) {
      return ` -n ${name}`;
    }
  }
  return '';
}

export function foreignWords(): readonly string[] {
  return [...WORDS_HERE.keys()];
}
