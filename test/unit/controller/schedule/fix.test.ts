import test from 'ava';
import type { Service } from '#model/app.ts';
import type { Fix } from '#model/cluster-plan.ts';
import { cheapestFix } from '../../../../controller/schedule/fix.ts';
import { schedule } from '../../../../controller/schedule/schedule.ts';
import { node, resources, service, snapshot } from '../../../support/builders.ts';
import { ALL_REASONS, applied, caseOf, mixedCase, servicesOf, slotsOf } from '../../../support/unplaceable.ts';
import type { Case } from '../../../support/unplaceable.ts';
import { Random } from '../../../sim/random.ts';

const SERVICES = 500;

function webOf({ document }: Case): Service {
  const found = servicesOf(document).get('web');
  if (found === undefined) throw new Error('no service web');
  return found;
}

/** All that the manifest asks for is placed. */
function fits(one: Case): boolean {
  const web = webOf(one);
  return schedule(one.state, [{ service: web, slots: slotsOf(web, one.state) }]).placements.length === slotsOf(web, one.state).length;
}

/** Every other case has one reason of them all, in turn; the rest are wrong in any ways. */
function* unplaceable(random: Random): Iterable<{ readonly of: Case; readonly reason: string }> {
  for (let turn = 0; ; turn += 1) {
    const reason = ALL_REASONS[turn % ALL_REASONS.length] ?? 'cpu';
    yield { of: caseOf(reason, random), reason };
    yield { of: mixedCase(random), reason: 'mixed' };
  }
}

/** What of the promise the fix breaks: one field or one node, nothing deleted, applied it fits, taken back it does not. */
function problemsOf(of: Case, { sentence, edit }: Fix): readonly string[] {
  const after = applied(of, edit);
  return [
    ...(/delete|nothing/.test(`${sentence} ${JSON.stringify(edit)}`) ? ['nobody is helped by that'] : []),
    ...(fits(after) ? [] : ['it does not help']),
    ...(fits(of) ? ['without it, it fits too'] : []),
    ...changesOf(of, after),
  ];
}

/** More than one thing that is not as it was. */
function changesOf(before: Case, after: Case): readonly string[] {
  const isOther = JSON.stringify(before.document) !== JSON.stringify(after.document);
  const nodes = [...after.state.nodes].filter(([id, record]) => before.state.nodes.get(id) !== record).length;
  const namespaces = before.state.namespaces === after.state.namespaces ? 0 : 1;
  return Number(isOther) + nodes + namespaces === 1 ? [] : [`${String(Number(isOther) + nodes + namespaces)} things change`];
}

test(`of ${String(SERVICES)} random services that do not fit each gets one change after which it does, and without which it does not`, t => {
  const seen = new Map<string, number>();
  const kinds = new Map<string, number>();
  const wrong: string[] = [];
  let found = 0;
  for (const { of, reason } of unplaceable(new Random(2026))) {
    if (found === SERVICES) break;
    if (fits(of)) continue;
    found += 1;
    seen.set(reason, (seen.get(reason) ?? 0) + 1);
    const web = webOf(of);
    const fix = cheapestFix({ snapshot: of.state, service: web, slots: slotsOf(web, of.state) });
    if (fix === undefined) {
      wrong.push(`no fix for ${reason}: ${JSON.stringify(of.document)}`);
      continue;
    }
    const { edit } = fix;
    wrong.push(...problemsOf(of, fix).map(problem => `${reason}: ${fix.sentence}: ${problem}; ${JSON.stringify(of.document)}`));
    const kind = edit.kind === 'field' ? edit.path.replace(/\d+/, '').split('.').slice(2, 4).join('.') : edit.change.split(' ').slice(0, 2).join(' ').replace(/ \S*[\d,].*/, '');
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  t.deepEqual(wrong, []);
  t.deepEqual(ALL_REASONS.filter(reason => (seen.get(reason) ?? 0) < 3), [], 'each reason comes up');
  t.true(kinds.size >= 16, JSON.stringify([...kinds]));
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
test('where no change helps all slots, one that helps the first that waits', t => {
  const apart = service({ replicas: 2, placement: { maxPer: [{ label: 'node', count: 1 }] } });
  t.regex(cheapestFix({ snapshot: snapshot({ services: [apart] }), service: apart, slots: [{ slot: 0 }, { slot: 1 }] })?.sentence ?? '', /^add a node/);
});
test('nothing waits, or all of it fits: nothing is to be changed', t => {
  t.is(cheapestFix({ snapshot: snapshot(), service: CPU, slots: [] }), undefined);
  t.is(cheapestFix({ snapshot: snapshot({ nodes: [node('n1')], services: [CPU] }), service: CPU, slots: [{ slot: 0 }] }), undefined);
});
test('two things are wrong, which no single change mends', t => {
  const far = service({ placement: { affinity: [{ service: 'db', label: 'node' }] } });
  t.is(cheapestFix({ snapshot: snapshot({ services: [far] }), service: far, slots: [{ slot: 0 }] }), undefined);
});
