import test from 'ava';
import type { ExecutionContext } from 'ava';
import { checkNamespacePolicy, DEFAULT_NAMESPACE_POLICY } from '#model/namespace.ts';
import { formatProblem } from '../../../cli/manifest-problem.ts';
import { parseManifests, readManifests } from '../../../cli/manifest.ts';
import { buildBytes, readBadInputs, shuffled } from '../../support/bad-input.ts';
import type { BadInput } from '../../support/bad-input.ts';
import { seed } from '../../support/seed.ts';

test.before(t => { t.log(`SEED=${String(seed)}`); });

function run(input: BadInput): { readonly apps: number; readonly lines: readonly string[]; readonly problems: ReturnType<typeof readManifests>['problems'] } {
  const parsed = parseManifests([{ name: 'case.yaml', bytes: buildBytes(input) }], new Map());
  const { apps, problems: own } = readManifests(parsed, 'default', () => new Map());
  // The controller's answer for a namespace without a policy, as the CLI puts it back on the lines.
  const answered = own.length > 0 ? [] : apps.flatMap(({ app, document }) => checkNamespacePolicy(app, DEFAULT_NAMESPACE_POLICY).map(violation => document.locate(violation)));
  const problems = [...own, ...answered];
  return { apps: apps.length, lines: problems.map(formatProblem), problems };
}

function judgeReject(t: ExecutionContext, input: BadInput): void {
  const { problems, lines } = run(input);
  const { field, words = [], line, lineAny } = input.expect;
  const named = problems.find(({ path }) => path === field || path.endsWith(`.${String(field)}`));
  t.truthy(named, `${String(field)} is named by: ${lines.join(' | ')}`);
  if (named === undefined) {
    return;
  }
  t.true(words.some(word => new RegExp(word, 'i').test(named.message)), `${named.message} says one of ${words.join(', ')}`);
  const allowed = lineAny ?? (line === null ? [named.line] : [line]);
  t.true(allowed.includes(named.line), `line ${String(named.line)} is one of ${allowed.join(', ')}`);
  t.is(problems[0], named, 'it is the first problem');
  for (const one of lines) {
    t.notRegex(one, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/, 'no control character reaches the terminal');
  }
}

for (const input of shuffled(readBadInputs('manifests.jsonl'), seed)) {
  test.serial(`${input.id}: ${input.intent}`, t => {
    const startedMs = cpuMs();
    switch (input.expect.outcome) {
      case 'reject':
        judgeReject(t, input);
        break;
      case 'ok':
      case 'steps':
        t.deepEqual(run(input).lines, []);
        t.is(run(input).apps, 1);
        break;
      case 'either':
        t.true(run(input).lines.length > 0 || run(input).apps > 0);
        break;
      default:
        t.fail(`unknown outcome ${input.expect.outcome}`);
    }
    t.deepEqual(run(input), run(input), 'a second run answers the same');
    t.is(({} as { readonly privileged?: boolean }).privileged, undefined);
    const limitMs = input.limits?.ms ?? (input.limits?.s ?? 10) * 1000;
    t.true(cpuMs() - startedMs < limitMs * 4, 'four runs stay within four times the limit');
  });
}

/** What this thread has computed, in milliseconds: unlike the time of day it does not count others' work on the machine. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
