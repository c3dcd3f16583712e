import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import type { ClusterView, ListFilter } from '#model/ports.ts';
import { ViewFold } from '#rpc/view-fold.ts';
import { clusterView } from '../../../../controller/api/cluster-view.ts';
import { ViewChanges } from '../../../../controller/api/view-changes.ts';
import type { ViewSource } from '../../../../controller/api/view-changes.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import type { RecordKey } from '../../../../controller/store/keys.ts';
import {
  encodeApp, encodeNode, encodeService, encodeServiceStatus, encodeTask, encodeTaskStatus,
} from '../../../../controller/store/records.ts';
import { ClusterMirror } from '../../../../controller/store/snapshot.ts';
import { app, node, service, serviceStatus, status, task, taskId } from '../../../support/builders.ts';
import { fc } from '../../../support/property.ts';

const SERVICES = [service({ name: 'web' }), service({ name: 'all', kind: 'global' }), service({ name: 'api', app: 'blog' })] as const;
const TASKS = ['a', 'b', 'c', 'd', 'e', 'f'].map((name, index) => {
  const on = index % 2 === 0 ? 'n1' : 'n2';
  return task(SERVICES[index % 3] ?? SERVICES[0], on, { id: taskId(name), slot: index });
});

type Write = readonly [RecordKey, Uint8Array | undefined];

/** Puts, and deletes for what is undefined, of few objects, so that most meet each other. */
const writes: fc.Arbitrary<Write> = fc.oneof(
  fc.tuple(fc.constantFrom('shop', 'blog'), fc.boolean())
    .map(([name, isThere]): Write => [{ kind: 'app', id: app(name).id }, isThere ? encodeApp(app(name)) : undefined]),
  fc.tuple(fc.constantFrom(...SERVICES), fc.boolean())
    .map(([one, isThere]): Write => [{ kind: 'service', id: one.id }, isThere ? encodeService(one) : undefined]),
  fc.tuple(fc.constantFrom(...SERVICES), fc.nat({ max: 2 })).map(([one, count]): Write => {
    const pending = Array.from({ length: count }, (_, slot) => ({ slot, reason: 'full' }));
    return [{ kind: 'service-status', id: one.id }, encodeServiceStatus(serviceStatus(one, { pending }))];
  }),
  fc.tuple(fc.constantFrom('n1', 'n2'), fc.constantFrom('ready', 'lost', undefined)).map(([name, condition]): Write => {
    const value = condition === undefined ? undefined : encodeNode(node(name, { condition }));
    return [{ kind: 'node', id: parseNodeId(name) }, value];
  }),
  fc.tuple(fc.constantFrom(...TASKS), fc.constantFrom('run', 'stop', undefined)).map(([one, desired]): Write =>
    [{ kind: 'task', id: one.id }, desired === undefined ? undefined : encodeTask({ ...one, desired })]),
  fc.tuple(fc.constantFrom(...TASKS), fc.constantFrom('running', 'complete', undefined)).map(([one, phase]): Write =>
    [{ kind: 'status', id: one.id }, phase === undefined ? undefined : encodeTaskStatus(status(one, { phase }))]),
);
const before = fc.array(writes, { maxLength: 30 });

const filters: fc.Arbitrary<ListFilter> = fc.constantFrom<ListFilter>(
  {}, { app: 'shop' }, { app: 'shop', service: 'web' }, { node: parseNodeId('n1') }, { withoutTasks: true },
);

/** A cluster, and one watcher of it. */
class Watched {
  readonly mirror = new ClusterMirror();
  readonly filter: ListFilter;
  readonly changes: ViewChanges;
  readonly fold = new ViewFold();
  shown: ClusterView | undefined;
  #revision = 1;
  readonly #created = new Map<string, number>();

  constructor(filter: ListFilter, partCost?: number, first: readonly Write[] = []) {
    this.filter = filter;
    first.forEach(write => { this.write(write, false); });
    this.changes = new ViewChanges(filter, this.mirror.current, partCost);
  }

  write([key, value]: Write, isWatched = true): void {
    this.#revision += 1;
    const [text, modRevision] = [buildKey(key), this.#revision];
    const createRevision = this.#created.get(text) ?? modRevision;
    if (value === undefined) this.#created.delete(text);
    else this.#created.set(text, createRevision);
    const change = value === undefined
      ? { kind: 'delete', key: text, modRevision } as const
      : { kind: 'put', entry: { key: text, value, createRevision, modRevision } } as const;
    const touched = this.mirror.apply({ etcdRevision: this.#revision, changes: [change] });
    if (isWatched) this.changes.take(touched, this.mirror.current);
  }

  /** @returns the answers that were sent */
  tell(between: () => void = () => undefined): readonly ClusterView[] {
    const answers: ClusterView[] = [];
    const source = (): ViewSource => ({ snapshot: this.mirror.current, lastSeen: new Map() });
    for (const answer of this.changes.parts(source)) {
      answers.push(answer);
      this.shown = this.fold.take(answer) ?? this.shown;
      between();
    }
    return answers;
  }

  /** Whatever its revision: what changed nothing of the view is not told. */
  get isTrue(): { readonly shown: unknown; readonly is: unknown } {
    const is = clusterView(this.mirror.current, this.filter, new Map());
    return { shown: { ...this.shown, etcdRevision: 0 }, is: { ...is, etcdRevision: 0 } };
  }
}

test('the changes that a watcher was told come to the view as it is', t => {
  const rounds = fc.array(fc.array(writes, { maxLength: 4 }), { maxLength: 12 });
  fc.assert(fc.property(filters, before, rounds, (filter, first, later) => {
    const watched = new Watched(filter, undefined, first);
    watched.tell();
    t.deepEqual(watched.isTrue.shown, watched.isTrue.is);
    for (const round of later) {
      round.forEach(write => { watched.write(write); });
      watched.tell();
      t.deepEqual(watched.isTrue.shown, watched.isTrue.is);
    }
  }));
});

test('what changes between two parts is told by the next parts', t => {
  fc.assert(fc.property(filters, before, fc.array(writes, { maxLength: 20 }), (filter, first, meanwhile) => {
    const watched = new Watched(filter, 1, first);
    const rest = [...meanwhile];
    const one = (): void => {
      const write = rest.shift();
      if (write !== undefined) watched.write(write);
    };
    while (rest.length > 0) {
      watched.tell(one);
      one();
    }
    watched.tell();
    t.deepEqual(watched.isTrue.shown, watched.isTrue.is);
  }));
});

test('an answer has what changed and nothing of the rest; nothing that is the same is told again', t => {
  const [web] = SERVICES;
  const put = (one: typeof TASKS[number]): Write => [{ kind: 'task', id: one.id }, encodeTask(one)];
  const n1: Write = [{ kind: 'node', id: parseNodeId('n1') }, encodeNode(node('n1'))];
  const watched = new Watched({}, undefined, [n1, [{ kind: 'service', id: web.id }, encodeService(web)], ...TASKS.map(put)]);
  t.is(watched.tell()[0]?.tasks.length, 6);
  const first = task(web, 'n1', { id: taskId('a') });
  watched.write([{ kind: 'status', id: first.id }, encodeTaskStatus(status(first))]);
  t.deepEqual(watched.tell().map(({ tasks, services, nodes }) => [tasks.length, services.length, nodes.length]), [[1, 1, 0]]);
  watched.write(n1);
  t.deepEqual(watched.tell(), [], 'the same record again');
});

test('a big view is told in parts, none larger than what one turn of the event loop makes', t => {
  const letters = (number: number): string => String(number).replaceAll(/\d/gu, digit => 'abcdefghij'.charAt(Number(digit)));
  const many = Array.from({ length: 1_000 }, (_, index) => task(SERVICES[0], 'n1', { id: taskId(letters(1_000 + index)) }));
  const watched = new Watched({}, undefined, many.map((one): Write => [{ kind: 'task', id: one.id }, encodeTask(one)]));
  const answers = watched.tell();
  t.deepEqual(answers.map(({ tasks, change }) => [tasks.length, change?.isPartial]), [[400, true], [400, true], [200, false]]);
  t.is(watched.shown?.tasks.length, 1_000);
});
