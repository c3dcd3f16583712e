/** `events`: what happened, oldest first. */
import type { ClusterEvent } from '#model/event.ts';
import { eventItem } from '../format/items.ts';
import { eventTable } from '../format/rows.ts';
import { readDurationFlag } from '../options.ts';
import type { Shell } from '../ports.ts';
import { describeFound, requireTarget } from '../target.ts';
import type { Found } from '../target.ts';
import { printListing } from './print-flow.ts';

export interface EventFlags {
  readonly watch?: boolean;
  readonly since?: string;
  readonly target?: string;
}

export async function listEvents(shell: Shell, flags: EventFlags): Promise<void> {
  const client = await shell.connect();
  const object = flags.target === undefined ? undefined : eventObject(requireTarget(flags.target, await client.view({}), ['app', 'service', 'task', 'node']));
  const sinceMs = flags.since === undefined ? undefined : shell.clock.nowMs() - readDurationFlag('--since', flags.since);
  const filter = { ...(object === undefined ? {} : { object }), ...(sinceMs === undefined ? {} : { sinceMs }) };
  if (flags.watch === true) {
    for await (const event of client.watchEvents(filter, shell.signal)) {
      await printEvents(shell, [event]);
    }
    return;
  }
  await printEvents(shell, (await client.events(filter)).toSorted((left, right) => left.lastAtMs - right.lastAtMs));
}

/** The name that events of the object carry. */
export function eventObject(found: Found): string {
  switch (found.kind) {
    case 'app':
      return `app/${found.app.namespace}/${found.app.name}`;
    case 'service':
      return `service/${found.service.service.id}`;
    case 'task':
    case 'node':
      return describeFound(found);
  }
}

/** JSON is one object a line. */
async function printEvents(shell: Shell, events: readonly ClusterEvent[]): Promise<void> {
  if (shell.options.output === 'json') {
    await shell.terminal.write(events.map(event => `${JSON.stringify(eventItem(event))}\n`).join(''));
    return;
  }
  const names = events.map(event => event.object);
  await printListing(shell, { items: events.map(eventItem), table: eventTable(events, shell.clock.nowMs()), names, isSingle: false });
}
