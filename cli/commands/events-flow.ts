/** `events`: what happened, oldest first. */
import type { ClusterEvent } from '#model/event.ts';
import type { ClusterView, ControlClient } from '#model/ports.ts';
import { eventObject, isEventOf } from '../event-scope.ts';
import { eventItem } from '../format/items.ts';
import { eventTable } from '../format/rows.ts';
import { readDurationFlag } from '../options.ts';
import type { Shell } from '../ports.ts';
import { requireTarget } from '../target.ts';
import type { Found } from '../target.ts';
import { printListing } from './print-flow.ts';

export interface EventFlags {
  readonly watch?: boolean;
  /** The same. */
  readonly follow?: boolean;
  readonly since?: string;
  readonly target?: string;
}

export async function listEvents(shell: Shell, flags: EventFlags): Promise<void> {
  const client = await shell.connect();
  const scope = await scopeOf(client, flags.target);
  const sinceMs = flags.since === undefined ? undefined : shell.clock.nowMs() - readDurationFlag('--since', flags.since);
  const filter = { ...scope.filter, ...(sinceMs === undefined ? {} : { sinceMs }) };
  if (flags.watch === true || flags.follow === true) {
    for await (const event of client.watchEvents(filter, shell.signal)) {
      if (await scope.has(event)) {
        await printEvents(shell, [event]);
      }
    }
    return;
  }
  const events = (await client.events(filter)).toSorted((left, right) => left.lastAtMs - right.lastAtMs);
  await printEvents(shell, events.filter(event => scope.knows(event)));
}

async function scopeOf(client: ControlClient, target: string | undefined): Promise<EventScope> {
  if (target === undefined) {
    return new EventScope(client);
  }
  const view = await client.view({});
  return new EventScope(client, { found: requireTarget(target, view, ['app', 'service', 'task', 'node']), view });
}

/** Tells which events are meant while tasks come: one that is not known yet is looked up once. */
class EventScope {
  readonly #client: ControlClient;
  readonly #unknown = new Set<string>();
  #about: { readonly found: Found; readonly view: ClusterView } | undefined;

  /** @param about  absent: all events */
  constructor(client: ControlClient, about?: { readonly found: Found; readonly view: ClusterView }) {
    this.#client = client;
    this.#about = about;
  }

  /** Of what has parts all events are asked for: those of its parts carry other names. */
  get filter(): { readonly object?: string } {
    const kind = this.#about?.found.kind;
    return this.#about === undefined || kind === 'app' || kind === 'service' ? {} : { object: eventObject(this.#about.found) };
  }

  knows({ object }: ClusterEvent): boolean {
    return this.#about === undefined || isEventOf(object, this.#about.found, this.#about.view);
  }

  async has(event: ClusterEvent): Promise<boolean> {
    const { object } = event;
    const isKnown = this.#about === undefined || !object.startsWith('task/') || this.#unknown.has(object) || this.#about.view.tasks.some(({ task }) => `task/${task.id}` === object);
    if (this.#about !== undefined && !isKnown) {
      this.#about = { ...this.#about, view: await this.#client.view({}) };
      this.#unknown.add(object);
    }
    return this.knows(event);
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
