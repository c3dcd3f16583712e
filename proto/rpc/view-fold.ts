/** The view that the answers of a watch come to. */
import type { ClusterView } from '#model/ports.ts';

/** Objects by id, in order of ids. */
class Table<Item> {
  readonly #idOf: (item: Item) => string;
  readonly #items = new Map<string, Item>();
  #sorted: readonly Item[] | undefined = [];

  constructor(idOf: (item: Item) => string) {
    this.#idOf = idOf;
  }

  take(items: readonly Item[], gone: readonly string[]): void {
    if (items.length + gone.length > 0) this.#sorted = undefined;
    gone.forEach(id => this.#items.delete(id));
    items.forEach(item => this.#items.set(this.#idOf(item), item));
  }

  get sorted(): readonly Item[] {
    this.#sorted ??= [...this.#items].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, item]) => item);
    return this.#sorted;
  }
}

/** Takes the answers of one watch in their order, whole views of an older controller or changes. */
export class ViewFold {
  readonly #apps = new Table<ClusterView['apps'][number]>(({ id }) => id);
  readonly #services = new Table<ClusterView['services'][number]>(({ service }) => service.id);
  readonly #tasks = new Table<ClusterView['tasks'][number]>(({ task }) => task.id);
  readonly #nodes = new Table<ClusterView['nodes'][number]>(({ node }) => node.id);
  readonly #pending = new Map<string, ClusterView['pending']>();

  /** The view as it is then; undefined while parts of the change are missing. */
  take({ change, ...view }: ClusterView): ClusterView | undefined {
    if (change === undefined) {
      return view;
    }
    this.#apps.take(view.apps, change.goneApps);
    this.#services.take(view.services, change.goneServices);
    this.#tasks.take(view.tasks, change.goneTasks);
    this.#nodes.take(view.nodes, change.goneNodes);
    change.goneServices.forEach(id => this.#pending.delete(id));
    const pendingOf = Map.groupBy(view.pending, ({ service }) => service);
    view.services.forEach(({ service }) => this.#pending.set(service.id, pendingOf.get(service.id) ?? []));
    if (change.isPartial) {
      return undefined;
    }
    const services = this.#services.sorted;
    const pending = services.flatMap(({ service }) => this.#pending.get(service.id) ?? []);
    return { ...view, apps: this.#apps.sorted, services, tasks: this.#tasks.sorted, nodes: this.#nodes.sorted, pending };
  }
}
