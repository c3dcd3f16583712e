/** `why`: the causes in plain words, and the cheapest way out. */
import { parseNodeId } from '#model/ids.ts';
import type { ClusterView, WhyRequest } from '#model/ports.ts';
import { formatWhy, whyItem } from '../format/plan.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { requireTarget, requireWorkload } from '../target.ts';
import { printPlain } from './print-flow.ts';

export async function explainTarget(shell: Shell, text: string, flags: { readonly node?: string }): Promise<void> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const target = subjectOf(text, await client.view(namespace === undefined ? {} : { namespace }));
  const answer = await client.why({ target, ...(flags.node === undefined ? {} : { node: parseNodeId(flags.node) }) });
  await (shell.options.output === 'json' || shell.options.output === 'yaml' ? printPlain(shell, whyItem(answer)) : shell.terminal.write(formatWhy(answer)));
}

/** A task or a service; of an App that has one service, that. */
function subjectOf(text: string, view: ClusterView): WhyRequest['target'] {
  const { found } = requireWorkload(text, view);
  if (found.kind === 'task') {
    return { kind: 'task', task: found.task.task.id };
  }
  const { service } = found.kind === 'service' ? found.service
    : view.services.find(one => one.service.namespace === found.app.namespace && one.service.app === found.app.name) ?? requireTarget(text, view, ['service']).service;
  return { kind: 'service', service: service.id };
}
