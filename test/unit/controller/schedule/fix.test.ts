import test from 'ava';
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { parsePlacementRule } from '#model/constraint.ts';
import { parseNodeId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { parseCpu, parseMemory } from '#model/quantity.ts';
import type { PlacementRule, PlacementSpec } from '#model/service.ts';
import type { FixEdit } from '#model/cluster-plan.ts';
import { cheapestFix } from '../../../../controller/schedule/fix.ts';
import { schedule } from '../../../../controller/schedule/schedule.ts';
import { node, resources, service, snapshot, task } from '../../../support/builders.ts';
import { Random } from '../../../sim/random.ts';

const SERVICES = 500;

function rule(text: string): PlacementRule {
  const parsed = parsePlacementRule(text);
  if (parsed.kind === 'error') throw new Error(parsed.message);
  return parsed.rule;
}

function fits(state: ClusterSnapshot, of: Service): boolean {
  return schedule(state, [{ service: of, slots: [{ slot: 0 }] }]).placements.length === 1;
}

/** What a person would do with the manifest, by the fix's words alone. */
function edited(of: Service, edit: Extract<FixEdit, { readonly kind: 'field' }>): Service {
  const { placement, container } = of.spec;
  const path = edit.path.replace(`services.${of.name}.`, '');
  const list = edit.value.slice(1, -1).split(', ').filter(text => text !== '').map(text => text.replaceAll('"', ''));
  const place = (change: Partial<PlacementSpec>): Service => ({ ...of, spec: { ...of.spec, placement: { ...placement, ...change } } });
  const hold = (change: Partial<typeof container>): Service => ({ ...of, spec: { ...of.spec, container: { ...container, ...change } } });
  if (path === 'placement.tolerate') return place({ tolerate: list });
  if (path === 'placement.require') return place({ require: list.map(rule) });
  if (path.startsWith('placement.max_per.')) return place({ maxPer: placement.maxPer.map(one => (path.endsWith(`.${one.label}`) ? { ...one, count: Number(edit.value) } : one)) });
  if (path === 'resources.requests.cpus') return hold({ requests: { ...container.requests, milliCpu: valueOf(parseCpu(edit.value)) } });
  if (path === 'resources.requests.memory') return hold({ requests: { ...container.requests, memoryBytes: valueOf(parseMemory(edit.value)) } });
  if (path === 'runtime') return hold({ runtime: edit.value });
  throw new Error(`no manifest has ${edit.path}`);
}

type NodeEdit = (one: Node) => Partial<Node>;

/** What each phrase of a fix does to a node. */
const PHRASES: readonly (readonly [RegExp, (...words: readonly string[]) => NodeEdit])[] = [
  [/^label it ([^=]+)=(.*)$/, (label = '', text = '') => ({ labels }) => ({ labels: new Map([...labels, [label, text]]) })],
  [/^remove its label (.*)$/, gone => ({ labels }) => ({ labels: new Map([...labels].filter(([key]) => key !== gone)) })],
  [/^remove its taints /, () => () => ({ taints: [] })],
  [/^install the runtime (.*)$/, (runtime = '') => ({ runtimes }) => ({ runtimes: [...runtimes, runtime] })],
  [/^(?:uncordon it|bring it back)$/, () => () => ({ availability: 'active', condition: 'ready' })],
  [/^give it (.*) more cpu$/, (text = '') => ({ capacity }) => ({ capacity: { ...capacity, milliCpu: capacity.milliCpu + valueOf(parseCpu(text)) } })],
  [/^give it (.*) more memory$/, (text = '') => ({ capacity }) => ({ capacity: { ...capacity, memoryBytes: capacity.memoryBytes + valueOf(parseMemory(text)) } })],
];

const valueOf = (parsed: ReturnType<typeof parseCpu>): number => ('value' in parsed ? parsed.value : Number.NaN);

function changed(one: Node, change: string): Node {
  return change.split(/, (?=[a-z]+ )/).reduce((current, phrase) => {
    const known = PHRASES.map(([pattern, edit]) => ({ words: pattern.exec(phrase), edit })).find(({ words }) => words !== null);
    return { ...current, ...known?.edit(...known.words?.slice(1) ?? [])(current) };
  }, one);
}

function added(name: string, text: string): Node {
  const pairs = new Map(text.split(',').map(pair => pair.split('=') as [string, string]));
  const capacity = { milliCpu: valueOf(parseCpu(pairs.get('cpu') ?? '')), memoryBytes: valueOf(parseMemory(pairs.get('memory') ?? '')) };
  const labels = Object.fromEntries([...pairs].filter(([key]) => key !== 'cpu' && key !== 'memory'));
  return node(name, { capacity, labels, runtimes: ['crun', 'kata'] });
}

/** The cluster with the node as the fix's words make it. */
function mended(state: ClusterSnapshot, { node: name, change }: Extract<FixEdit, { readonly kind: 'node' }>): ClusterSnapshot {
  const current = state.nodes.get(parseNodeId(name))?.value;
  const value = current === undefined ? added(name, change.replace('add ', '')) : changed(current, change);
  return { ...state, nodes: new Map(state.nodes).set(value.id, { value, createRevision: 1, modRevision: 1 }) };
}

function randomCase(random: Random): { readonly state: ClusterSnapshot; readonly of: Service } {
  const filler = service({ name: 'filler', container: { requests: resources(1_000, 1_024) } });
  const nodes = Array.from({ length: random.between(0, 5) }, (_, index) => node(`n${String(index + 1)}`, {
    labels: { zone: random.pick(['a', 'b']) ?? 'a', ...(random.chance(0.3) ? { disk: 'ssd' } : {}) }, taints: random.chance(0.3) ? [random.pick(['spot', 'gpu']) ?? 'spot'] : [],
    availability: random.pick(['active', 'active', 'cordoned', 'draining'] as const) ?? 'active', condition: random.pick(['ready', 'ready', 'ready', 'silent', 'lost'] as const) ?? 'ready',
    capacity: resources(random.between(1, 4) * 1_000, random.between(1, 4) * 1_024), runtimes: random.chance(0.8) ? ['crun'] : ['runc'],
  }));
  const tasks = nodes.flatMap((one, index) => (random.chance(0.5) ? [task(filler, one, { slot: index })] : []));
  const texts = [['zone == a', 'zone != b', 'zone in (c, d)'], ['disk == ssd', 'disk exists', 'disk not-exists'], ['rack > 3']];
  const of = service({
    replicas: 1, placement: {
      require: texts.filter(() => random.chance(0.3)).map(group => rule(random.pick(group) ?? 'zone == a')), tolerate: random.chance(0.2) ? ['spot'] : [],
      maxPer: random.chance(0.2) ? [{ label: 'node', count: 1 }] : [],
    },
    container: { requests: resources(random.between(1, 50) * 100, random.between(1, 50) * 100), runtime: random.pick(['crun', 'crun', 'crun', 'kata']) ?? 'crun' },
  });
  return { state: snapshot({ nodes, services: [filler, of], tasks }), of };
}

test(`of ${String(SERVICES)} random services that fit nowhere each gets one change after which it fits, and without which it does not`, t => {
  const random = new Random(2026);
  const kinds = new Map<string, number>();
  for (let found = 0; found < SERVICES;) {
    const { state, of } = randomCase(random);
    if (fits(state, of)) {
      continue;
    }
    found += 1;
    const fix = cheapestFix({ snapshot: state, service: of, slots: [{ slot: 0 }] });
    if (fix === undefined) {
      t.fail(`no fix for ${JSON.stringify(of.spec.placement)}`);
      return;
    }
    const { edit } = fix;
    t.notRegex(`${fix.sentence} ${JSON.stringify(edit)}`, /delete|nothing/);
    t.true(edit.kind === 'field' ? fits(state, edited(of, edit)) : fits(mended(state, edit), of), `${fix.sentence} does not help`);
    t.false(fits(state, of), 'taken back, it fails again');
    const kind = edit.kind === 'field' ? edit.path.split('.').slice(2, 4).join('.') : edit.change.split(' ')[0] ?? '';
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  t.true(kinds.size >= 6, `kinds of fixes: ${JSON.stringify([...kinds])}`);
});

const CPU = service({ container: { requests: resources(900, 10) } });
test('several slots: the request goes down to what all of them find', t => {
  const state = snapshot({ nodes: [node('n1', { capacity: resources(800, 100) })], services: [CPU] });
  t.deepEqual(cheapestFix({ snapshot: state, service: CPU, slots: [{ slot: 0 }, { slot: 1 }] })?.edit, { kind: 'field', path: 'services.web.resources.requests.cpus', value: '0.4' });
});
test('a node that is held back comes before anything that the service would lose', t => {
  const state = snapshot({ nodes: [node('n1', { availability: 'cordoned' }), node('n2', { taints: ['spot'] })], services: [CPU] });
  t.deepEqual(cheapestFix({ snapshot: state, service: CPU, slots: [{ slot: 0 }] })?.edit, { kind: 'node', node: 'n1', change: 'uncordon it' });
});
test('nothing waits, nothing is to be changed', t => {
  t.is(cheapestFix({ snapshot: snapshot(), service: CPU, slots: [] }), undefined);
});
