/** `events`: what happened, oldest first. */
import type { ClusterEvent } from '#model/event.ts';
import type { ClusterView, ControlClient, ListFilter } from '#model/ports.ts';
import { quoted } from '#model/printable.ts';
import { eventObject, isEventIn, isEventOf } from '../event-scope.ts';
import { eventItem } from '../format/items.ts';
import { eventLog, eventTable } from '../format/rows.ts';
import { readDurationFlag, UsageError } from '../options.ts';
import type { Shell } from '../ports.ts';
import { requireTarget } from '../target.ts';
import { jsonLines, printListing, TablePrinter } from './print-flow.ts';

export interface EventFlags {
  readonly watch?: boolean;
  /** The same. */
  readonly follow?: boolean;
  readonly since?: string;
  /** `normal` or `warning`, in any case. */
  readonly type?: string;
  readonly target?: string;
}

const EVENT_TYPES = ['normal', 'warning'] as const satisfies readonly ClusterEvent['type'][];

/** Of everything, nodes too, unless a target or a namespace narrows it. */
export async function listEvents(shell: Shell, flags: EventFlags): Promise<void> {
  const type = readType(flags.type);
  const isWanted = (event: ClusterEvent): boolean => type === undefined || event.type === type;
  const client = await shell.connect();
  const scope = await scopeOf(shell, client, flags.target);
  const sinceMs = flags.since === undefined ? undefined : shell.clock.nowMs() - readDurationFlag('--since', flags.since);
  const filter = { ...scope.filter, ...(sinceMs === undefined ? {} : { sinceMs }) };
  if (flags.watch === true || flags.follow === true) {
    const printer = new TablePrinter(shell);
    for await (const event of client.watchEvents(filter, shell.signal)) {
      if (isWanted(event) && await scope.has(event)) {
        await followEvent(shell, event, printer);
      }
    }
    return;
  }
  const events = (await client.events(filter)).toSorted((left, right) => left.lastAtMs - right.lastAtMs);
  await printEvents(shell, events.filter(event => isWanted(event) && scope.knows(event)));
}

/** @throws UsageError */
function readType(text: string | undefined): ClusterEvent['type'] | undefined {
  const type = EVENT_TYPES.find(one => one === text?.toLowerCase());
  if (text !== undefined && type === undefined) {
    throw new UsageError(`--type ${quoted(text)} is none of ${EVENT_TYPES.join(', ')}`);
  }
  return type;
}

async function scopeOf(shell: Shell, client: ControlClient, target: string | undefined): Promise<EventScope> {
  const { namespace, isAllNamespaces } = shell.options;
  const narrowed = isAllNamespaces ? undefined : namespace;
  if (target === undefined && narrowed === undefined) {
    return new EventScope(client);
  }
  const listFilter = narrowed === undefined ? {} : { namespace: narrowed };
  const view = await client.view(listFilter);
  if (target === undefined) {
    return new EventScope(client, { listFilter, view, isMeant: (object, at) => isEventIn(object, narrowed ?? '', at) });
  }
  const found = requireTarget(target, view, ['app', 'service', 'task', 'node']);
  const filter = found.kind === 'app' || found.kind === 'service' ? {} : { object: eventObject(found) };
  return new EventScope(client, { listFilter, view, filter, isMeant: (object, at) => isEventOf(object, found, at) });
}

interface EventSubject {
  readonly listFilter: ListFilter;
  readonly view: ClusterView;
  /** Of what has parts all events are asked for: those of its parts carry other names. */
  readonly filter?: { readonly object?: string };
  readonly isMeant: (object: string, view: ClusterView) => boolean;
}

/** Tells which events are meant while tasks come: one that is not known yet is looked up once. */
class EventScope {
  readonly filter: { readonly object?: string };
  readonly #client: ControlClient;
  readonly #unknown = new Set<string>();
  #about: EventSubject | undefined;

  /** @param about  absent: all events */
  constructor(client: ControlClient, about?: EventSubject) {
    this.#client = client;
    this.#about = about;
    this.filter = about?.filter ?? {};
  }

  knows({ object }: ClusterEvent): boolean {
    return this.#about === undefined || this.#about.isMeant(object, this.#about.view);
  }

  async has(event: ClusterEvent): Promise<boolean> {
    const { object } = event;
    const isKnown = this.#about === undefined || !object.startsWith('task/') || this.#unknown.has(object) || this.#about.view.tasks.some(({ task }) => `task/${task.id}` === object);
    if (this.#about !== undefined && !isKnown) {
      this.#about = { ...this.#about, view: await this.#client.view(this.#about.listFilter) };
      this.#unknown.add(object);
    }
    return this.knows(event);
  }
}

/** With the time of day: a line that stays on the screen tells no age. */
async function followEvent(shell: Shell, event: ClusterEvent, printer: TablePrinter): Promise<void> {
  const { output, isQuiet } = shell.options;
  await ((output === 'table' || output === 'wide') && !isQuiet ? printer.add(eventLog([event])) : printEvents(shell, [event]));
}

/** JSON is one object a line. */
async function printEvents(shell: Shell, events: readonly ClusterEvent[]): Promise<void> {
  if (shell.options.output === 'json') {
    await shell.terminal.write(jsonLines(shell, events.map(eventItem)));
    return;
  }
  const names = events.map(event => event.object);
  await printListing(shell, { items: events.map(eventItem), table: eventTable(events, shell.clock.nowMs()), names, isSingle: false });
}
