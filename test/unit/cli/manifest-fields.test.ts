import test from 'ava';
import { parse } from 'yaml';
import { parseCpuset } from '#model/cpuset.ts';
import { parseMode, parseShortPort, parseShortVolume } from '#model/mount-schema.ts';
import { parseCpu, parseDuration, parseMemory } from '#model/quantity.ts';
import type { Parsed } from '#model/quantity.ts';
import type { FieldDoc, Leaf } from '../../../cli/field-docs.ts';
import { MANIFEST } from '../../../cli/manifest-fields.ts';
import { appOf, violationsOf } from '../../support/manifest.ts';

type Tree = Readonly<Record<string, unknown>>;
/** The fields on the way to one, from the root. */
type Way = readonly FieldDoc[];

const ABSENT = Symbol('absent');
const CRON = { kind: 'cron', schedule: '@daily' };
const CANARY = { strategy: 'canary', steps: ['50%'] };
const PROBED = { tcp: { port: 1 } };
const IN_CONTAINER: Readonly<Record<string, Tree>> = { configs: { source: 'cfg' }, secrets: { source: 'sec' }, volumes: { source: 'vol', target: '/x' } };

/** What must stand in a mapping, by its path. */
const INSIDE: Readonly<Record<string, Tree>> = {
  services: { image: 'x' }, 'services.init_containers': { name: 'first' }, 'services.sidecars': { name: 'beside' },
  'services.autoscale': { max: 2, cpu: '60%' }, 'services.autoscale.metric': { query: 'x', target: 1 }, 'services.healthcheck.http': { port: 1 }, 'services.healthcheck.tcp': { port: 1 },
  'services.ports': { target: 1 }, 'services.placement.prefer': { rule: 'a == b' }, 'services.placement.affinity': { service: 'db' }, 'services.placement.avoid': { service: 'db' },
  'services.ulimits': { soft: 1, hard: 1 },
  ...Object.fromEntries(['services', 'services.init_containers', 'services.sidecars'].flatMap(path => Object.entries(IN_CONTAINER).map(([name, content]) => [`${path}.${name}`, content]))),
};

/** What must stand beside a field for it to be read, by its path. */
const BESIDE: Readonly<Record<string, Tree>> = {
  'services.job': { kind: 'job' },
  ...Object.fromEntries(['schedule', 'timezone', 'concurrency', 'starting_deadline', 'history', 'suspend'].map(name => [`services.${name}`, CRON])),
  ...Object.fromEntries(['steps', 'promote'].map(name => [`services.update.${name}`, CANARY])),
  ...Object.fromEntries(['interval', 'timeout', 'retries', 'start_period'].map(name => [`services.healthcheck.${name}`, PROBED])),
  ...Object.fromEntries(['services', 'services.init_containers', 'services.sidecars'].map(path => [`${path}.volumes.size`, { type: 'tmpfs', source: undefined }])),
};

const ROOT: Readonly<Record<string, unknown>> = {
  apiVersion: 'gantry/v1', kind: 'App', metadata: { name: 'shop' }, configs: { cfg: { content: 'c' } }, secrets: { sec: { external: true } }, volumes: { vol: {} }, services: { db: { image: 'x' } },
};

/** The name that an entry of a `named` field has here. */
const ENTRY_NAMES: Readonly<Record<string, string>> = { hugepages: '2Mi', max_per: 'node', depends_on: 'db', ulimits: 'nofile' };
const entryName = ({ name }: FieldDoc): string => ENTRY_NAMES[name] ?? 'web';
const pathOf = (way: Way): string => way.map(({ name }) => name).join('.');
/** As violations name it. */
const placeOf = (way: Way): string => way.map(field => `${field.name}${{ one: '', list: '[0]', named: `.${entryName(field)}` }[field.shape]}`).join('.');

function content(way: Way, value: unknown, depth = 0): Tree {
  const field = way[depth];
  if (field === undefined) return value as Tree;
  const isLast = depth === way.length - 1;
  const own = isLast ? value : { ...INSIDE[pathOf(way.slice(0, depth + 1))], ...content(way, value, depth + 1) };
  const shaped = own === ABSENT ? undefined : { one: own, list: [own], named: { [entryName(field)]: own } }[field.shape];
  return { ...BESIDE[pathOf(way.slice(0, depth + 1))], [field.name]: shaped };
}

/** A whole document with `value` at the end of the way. */
function document(way: Way, value: unknown): object {
  const inner = content(way, value);
  return withoutUndefined(Object.fromEntries(Object.entries({ ...ROOT, ...inner }).map(([key, written]) => [key, isTree(ROOT[key]) && isTree(written) ? { ...ROOT[key], ...written } : written]))) as object;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  return isTree(value) ? Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined).map(([key, one]) => [key, withoutUndefined(one)])) : value;
}

function* waysBelow(field: FieldDoc, way: Way = []): Generator<Way> {
  for (const child of field.fields ?? []) {
    yield [...way, child];
    yield* waysBelow(child, [...way, child]);
  }
}

const WAYS = [...waysBelow(MANIFEST)];
const end = (way: Way): FieldDoc => way.at(-1) ?? MANIFEST;

const UNKNOWN = 'zzzzzzzzzzzzzzzzzzzz';

test('each mapping has the fields that the schema reads, no more and no fewer', t => {
  for (const way of [[], ...WAYS.filter(one => end(one).fields !== undefined)] as readonly Way[]) {
    const probed = way.length === 0 ? { ...ROOT, [UNKNOWN]: 1 } : document(way, { ...INSIDE[pathOf(way)], [UNKNOWN]: 1 });
    const [message] = violationsOf(probed).filter(({ path }) => path.endsWith(UNKNOWN)).map(one => one.message);
    const known = /^unknown key; known here: (.*)$/.exec(message ?? '')?.[1]?.split(', ').toSorted();
    t.deepEqual(end(way).fields?.map(({ name }) => name).toSorted(), known, pathOf(way));
  }
});

test('what is described as no mapping is read as none', t => {
  for (const way of WAYS.filter(one => end(one).fields === undefined && end(one).leaf !== 'mapping or list of NAME=value')) {
    t.deepEqual(violationsOf(document(way, { [UNKNOWN]: 1 })).filter(({ path }) => path.endsWith(UNKNOWN)), [], pathOf(way));
  }
});

const problem = (parser: (text: string) => Parsed<unknown>): string => {
  const parsed = parser('zz');
  return 'problem' in parsed ? parsed.problem : '';
};

/** What no field of the type takes, and what is said of it. */
const WRONG: Readonly<Record<Leaf, readonly [unknown, string | RegExp]>> = {
  text: [5, /^must be text, got 5/], word: [[], /^must be text, got a list/], integer: ['zz', "must be a whole number, got 'zz'"], number: ['zz', "must be a number, got 'zz'"], 'true or false': ['zz', "must be true or false, got 'zz'"],
  duration: ['zz', problem(parseDuration)], memory: ['zz', problem(parseMemory)], cpus: ['zz', problem(parseCpu)], percent: ['zz', /%/], 'octal mode': ['zz', problem(parseMode)],
  'list of cpus': ['zz', problem(parseCpuset)], units: ['zz', /a share of (one|a unit)/], 'text or list of text': [5, 'must be a list, got 5'], 'mapping or list of NAME=value': [5, 'must be a mapping, got 5'],
  'PUBLISHED:TARGET': ['zz', problem(parseShortPort)], 'NAME:/PATH': ['zz', problem(parseShortVolume)],
};

/** What a field that may be a mapping takes as well. */
const RIGHT: Readonly<Partial<Record<Leaf, unknown>>> = { text: 'db', integer: 5, units: 0.5, duration: '10s', 'PUBLISHED:TARGET': '80:80', 'NAME:/PATH': 'vol:/x' };

test('each field takes what its type says', t => {
  for (const way of WAYS) {
    const { leaf, words, fields } = end(way);
    const complaints = (value: unknown): readonly string[] => violationsOf(document(way, value)).filter(({ path }) => path === placeOf(way)).map(({ message }) => message);
    if (words !== undefined) {
      const expected = words.length === 1 ? new RegExp(words.join('')) : new RegExp(`^'zz' is none of ${words.join(', ')}$`);
      t.true(complaints('zz').some(message => expected.test(message)), `${pathOf(way)}: ${complaints('zz').join('; ')}`);
    } else if (leaf !== undefined && fields !== undefined) {
      t.deepEqual(complaints(RIGHT[leaf]).filter(message => message.startsWith('must be')), [], pathOf(way));
    } else if (leaf !== undefined) {
      const [value, expected] = WRONG[leaf];
      t.true(complaints(value).some(message => (typeof expected === 'string' ? message === expected : expected.test(message))), `${pathOf(way)}: ${complaints(value).join('; ')}`);
    } else {
      t.truthy(fields, pathOf(way));
    }
  }
});

test('a field that is left out means what its default says', t => {
  const withDefault = WAYS.filter(way => end(way).default !== undefined);
  t.true(withDefault.length > 50);
  for (const way of withDefault) {
    t.deepEqual(appOf(document(way, parse(end(way).default ?? ''))), appOf(document(way, ABSENT)), pathOf(way));
  }
});

/** Required of some kinds alone. */
const REQUIRED_OF_SOME = ['services.schedule', 'services.update.steps', 'services.volumes.source', 'services.init_containers.volumes.source', 'services.sidecars.volumes.source'];

test('what is required is missed, and nothing else', t => {
  for (const way of WAYS.filter(one => end(one).shape === 'one')) {
    const isMissed = violationsOf(document(way, ABSENT)).some(({ path }) => path === placeOf(way) || (pathOf(way) === 'metadata' && path === 'metadata.name'));
    t.is(isMissed, end(way).isRequired === true || REQUIRED_OF_SOME.includes(pathOf(way)), pathOf(way));
  }
});
