/** Commands of docker, kubectl and nomad that have another name here. */

const WORDS_HERE: ReadonlyMap<string, string> = new Map(Object.entries({
  'node drain NODE': 'drain', 'node cordon NODE': 'cordon', 'node uncordon NODE': 'uncordon', 'node taint NODE TAINT': 'taint', 'node ls': 'nodes',
  'apply -f FILE': 'create deploy up edit set patch replace expose autoscale', 'delete TARGET': 'rm remove', 'delete -f FILE': 'down',
  'scale APP/SERVICE=REPLICAS': 'start resize', 'rollout history APP/SERVICE': 'history', 'plan -f FILE': 'eval', 'events -f': 'monitor',
  'get svc': 'svc service services deployment deployments port', 'get apps': 'app apps stack stacks compose', 'get jobs': 'job jobs', 'get crons': 'cron crons cronjob cronjobs',
  ps: 'pod pods ls task tasks container containers alloc allocs', 'volume ls': 'volumes', 'secret ls': 'secrets', 'get configs': 'configs',
  'namespace ls': 'namespaces ns', 'context ls': 'config contexts', 'version -o json': 'info cluster-info server', 'get apps,svc,tasks': 'status',
  explain: 'api-resources', 'token create': 'swarm',
}).flatMap(([here, words]) => words.split(' ').map(word => [word, here] as const)));

/** What to write for `word`, behind `clusterctl`; undefined where nothing comes near it. */
export function wordHere(word: string): string | undefined {
  return WORDS_HERE.get(word);
}

export function foreignWords(): readonly string[] {
  return [...WORDS_HERE.keys()];
}
