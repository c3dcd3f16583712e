/** `why`: the causes in plain words, and the cheapest way out. */
import { parseNodeId } from '#model/ids.ts';
import { formatWhy, whyItem } from '../format/plan.ts';
import { listNamespace } from '../options.ts';
import type { Shell } from '../ports.ts';
import { requireTarget } from '../target.ts';
import { printPlain } from './print-flow.ts';

export async function explainTarget(shell: Shell, text: string, flags: { readonly node?: string }): Promise<void> {
  const client = await shell.connect();
  const namespace = listNamespace(shell.options);
  const found = requireTarget(text, await client.view(namespace === undefined ? {} : { namespace }), ['service', 'task']);
  const target = found.kind === 'service'
    ? { kind: 'service', service: found.service.service.id } as const
    : { kind: 'task', task: found.task.task.id } as const;
  const answer = await client.why({ target, ...(flags.node === undefined ? {} : { node: parseNodeId(flags.node) }) });
  await (shell.options.output === 'json' || shell.options.output === 'yaml' ? printPlain(shell, whyItem(answer)) : shell.terminal.write(formatWhy(answer)));
}
