import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import type { Command } from 'commander';
import { AGENT_OPTIONS } from '../../agent/config.ts';
import { AGENT_METRICS } from '../../agent/metrics.ts';
import { buildProgram } from '../../cli/clusterctl.ts';
import { EXIT } from '../../cli/exit-code.ts';
import { CONTROLLER_OPTIONS } from '../../controller/config.ts';
import { CONTROLLER_METRICS } from '../../controller/metrics.ts';
import { ERROR_CODES } from '#model/errors.ts';
import { referencePages } from './reference-pages.ts';

interface ProgramOption { readonly value?: string; readonly fallback?: string; readonly meaning: string }

const ROOT = path.resolve(import.meta.dirname, '../..');
const program = buildProgram(() => Promise.resolve());
const scripts = (JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> }).scripts;
const PAGES = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs/concepts.md', 'docs/glossary.md', 'docs/troubleshooting.md'];
const FILES = [...PAGES, ...['agent', 'cli', 'controller', 'deploy', 'proto', 'test'].flatMap(top => readdirSync(path.join(ROOT, top), { recursive: true, encoding: 'utf8' }).map(file => `${top}/${file}`))];
const READMES = FILES.filter(file => PAGES.includes(file) || path.basename(file) === 'README.md');
/** Areas whose README names each of their files. */
const COMPLETE = ['agent/cgroup', 'agent/content', 'agent/dns', 'agent/health', 'agent/logs', 'agent/network', 'agent/proxy', 'agent/tunnel', 'agent/volume', 'controller/schedule', 'proto/registry'];
const METRIC_PARTS = /_(?:bucket|count|sum)$/;

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

/** Rows of the table under the heading. */
function rowsUnder(file: string, heading: string): readonly string[] {
  const section = read(file).split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return section.split('\n').filter(line => line.startsWith('| `'));
}

function optionRows(options: Readonly<Record<string, ProgramOption>>): readonly string[] {
  return Object.entries(options).map(([name, { value, fallback, meaning }]) => `| \`--${name}${value === undefined ? '' : ` ${value}`}\` | ${fallback ?? ''} | ${meaning} |`);
}

function metricRows(metrics: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(metrics).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`);
}

for (const [area, options, metrics] of [['controller', CONTROLLER_OPTIONS, CONTROLLER_METRICS], ['agent', AGENT_OPTIONS, AGENT_METRICS]] as const) {
  test(`${area}: the README's options are those of the code`, t => {
    t.deepEqual(rowsUnder(`${area}/README.md`, 'Options'), optionRows(options));
  });
  test(`${area}: the README's metrics are those of the code`, t => {
    t.deepEqual(rowsUnder(`${area}/README.md`, 'Metrics'), metricRows(metrics));
  });
}

test("cli: the README's exit codes and error codes are those of the code", t => {
  const codes = rowsUnder('cli/README.md', 'Exit codes').map(row => Number(/^\| `(\d+)`/.exec(row)?.[1]));
  t.deepEqual(codes, Object.values(EXIT));
  const line = read('cli/README.md').split('Error codes: ')[1]?.split('\n\n')[0] ?? '';
  t.deepEqual([...line.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code), [...ERROR_CODES]);
});

/** Everything between single backticks outside code blocks. */
function spansOf(file: string): readonly string[] {
  return [...read(file).replaceAll(/```[\s\S]*?```/g, '').matchAll(/`([^`\n]+)`/g)].map(([, span]) => span ?? '');
}

/** Lines of the shell in a document's code blocks, without comments. */
function commandsOf(file: string): readonly string[] {
  const blocks = [...read(file).matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '');
  return blocks.flatMap(block => block.split('\n')).map(line => line.replace(/\s+#.*$/, '').trim()).filter(line => line !== '');
}

/** What is wrong with one documented command; undefined when nothing is. */
function problemOf(command: string): string | undefined {
  const [name = '', ...words] = command.replace(/^(?:[A-Z]+=\S+ )+/, '').split(/\s+/);
  switch (path.basename(name)) {
    case 'clusterctl': return clusterctlProblem(words);
    case 'npm': return npmProblem(words);
    case 'gantry-agent': return words.find(word => word.startsWith('--') && !(word.slice(2) in AGENT_OPTIONS));
    default: return undefined;
  }
}

function clusterctlProblem(words: readonly string[]): string | undefined {
  let command: Command = program;
  for (const word of words) {
    const next: Command | undefined = command.commands.find(one => one.name() === word);
    if (next === undefined) {
      break;
    }
    command = next;
  }
  if (command === program || command.commands.length > 0) {
    return `no such verb: ${words.join(' ')}`;
  }
  const own = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
  const flag = own.find(word => /^--?[a-z]/.test(word) && !command.options.some(option => option.long === word || option.short === word));
  return flag === undefined ? undefined : `${command.name()} has no ${flag}`;
}

function npmProblem([verb = '', script = '']: readonly string[]): string | undefined {
  const wanted = verb === 'run' ? script : verb;
  return wanted in scripts ? undefined : `no npm script ${wanted}`;
}

test('every command in the documents exists, with its flags', t => {
  const commands = [...PAGES, 'deploy/README.md', 'test/README.md'].flatMap(commandsOf);
  t.true(commands.length > 30);
  t.deepEqual(commands.map(problemOf).filter(problem => problem !== undefined), []);
});

for (const [file, text] of Object.entries(referencePages())) {
  test(`${file} is generated from the code (npm run docs)`, t => {
    t.is(read(file), text);
  });
}

test('every file that the documents link to or run is there', t => {
  const missing = [...PAGES, 'deploy/README.md', 'test/README.md', 'cli/README.md', 'controller/README.md', 'agent/README.md', 'proto/README.md'].flatMap(file => {
    const links = [...read(file).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link]) => path.join(path.dirname(file), link ?? ''));
    const run = commandsOf(file).flatMap(command => command.split(/\s+/)).filter(word => /^(?:\/opt\/gantry\/|test\/|deploy\/)[\w./-]+$/.test(word)).map(word => word.replace('/opt/gantry/', ''));
    return [...links, ...run].filter(target => !existsSync(path.join(ROOT, target))).map(target => `${file}: ${target}`);
  });
  t.deepEqual(missing, []);
});

test('every command and option that a text names exists', t => {
  const problems = READMES.flatMap(file => spansOf(file).filter(span => /^(?:clusterctl|npm) [a-z]/.test(span)).flatMap(span => problemOf(span) ?? []).map(problem => `${file}: ${problem}`));
  t.deepEqual(problems, []);
});

test('every source file that a text names is there', t => {
  const known = FILES.map(file => `/${file}`);
  const names = READMES.flatMap(file => spansOf(file).filter(span => /^[\w./-]+\.(?:ts|mjs|cjs|nft|patch)$/.test(span)).map(span => ({ file, tail: path.join('/', span) })));
  t.true(names.length > 150);
  t.deepEqual(names.filter(({ tail }) => !known.some(one => one.endsWith(tail))).map(({ file, tail }) => `${file}: ${tail}`), []);
});

test('every file of a component has its place in the reading order, where the order is complete', t => {
  const unnamed = COMPLETE.flatMap(area => {
    const text = read(`${area}/README.md`);
    return FILES.filter(file => path.dirname(file) === area && file.endsWith('.ts') && !text.includes(path.basename(file, '.ts')));
  });
  t.deepEqual(unnamed, []);
});

test('every verb is in the help of its group, and has a description', t => {
  const all = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(all)];
  t.deepEqual(all(program).filter(command => command.description() === '').map(command => command.name()), []);
});

test('dashboards and alerts use only metrics of the code', t => {
  const known = new Set([...Object.keys(CONTROLLER_METRICS), ...Object.keys(AGENT_METRICS)]);
  const files = ['deploy/prometheus/rules.yml', 'deploy/prometheus/rules.test.yml', ...readdirSync(path.join(ROOT, 'deploy/grafana')).map(file => `deploy/grafana/${file}`)];
  const used = files.flatMap(file => [...read(file).matchAll(/\bgantry_[a-z_]+/g)].map(([name]) => name));
  t.deepEqual([...new Set(used)].filter(name => !/^gantry_(?:process|nodejs)_/.test(name) && !known.has(name) && !known.has(name.replace(METRIC_PARTS, ''))), []);
});

test('every alert has a test that sees it fire', t => {
  const alerts = [...read('deploy/prometheus/rules.yml').matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  const tested = new Set([...read('deploy/prometheus/rules.test.yml').matchAll(/alertname: (\w+)\n\s+exp_alerts/g)].map(([, name]) => name));
  t.deepEqual(alerts.filter(name => !tested.has(name)), []);
});
