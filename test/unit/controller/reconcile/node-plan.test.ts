import test from 'ava';
import { NO_EVIDENCE, afterGap, awayForMs, planNodes } from '../../../../controller/reconcile/node-plan.ts';
import type { NodeEvidence } from '../../../../controller/reconcile/node-plan.ts';
import type { ClusterEvent } from '#model/event.ts';
import type { ControllerRecord, Node, SessionRecord } from '#model/node.ts';
import { DEFAULT_TIMES } from '#model/times.ts';
import { T0, node, snapshot } from '../../../support/builders.ts';
import type { NodeOptions } from '../../../support/builders.ts';

const CONTROLLER: ControllerRecord = { id: 'c1', apiAddress: '', metricsAddress: '', startedAtMs: T0 };
const silent: NodeOptions = { condition: 'silent' };

/** `count` nodes; those in `away` as given, the others ready. */
function nodes(count: number, away: Readonly<Record<string, NodeOptions>>): readonly Node[] {
  return Array.from({ length: count }, (_, index) => node(`n${String(index + 1)}`, away[`n${String(index + 1)}`] ?? {}));
}

interface Moment {
  readonly atS: number;
  readonly nodes: readonly Node[];
  /** The controller that holds all sessions is alive. */
  readonly hasHolder?: boolean;
  /** A new leader starts from nothing. */
  readonly isReset?: boolean;
  /** So long the leader stood still just before. */
  readonly gapS?: number;
}

/** What is lost when, planning at each moment with what was counted before. */
function losses(moments: readonly Moment[]): readonly string[] {
  let evidence: NodeEvidence = NO_EVIDENCE;
  const lost = new Set<string>();
  return moments.flatMap(moment => {
    const current = moment.nodes.map(one => (lost.has(one.id) && one.condition === 'silent' ? { ...one, condition: 'lost' as const } : one));
    const sessions = current.map((one): SessionRecord => ({ node: one.id, sessionId: 's', controllerId: 'c1', openedAtMs: T0, instanceNonce: '' }));
    const plan = planNodes(
      snapshot({ nodes: current, sessions, controllers: moment.hasHolder === false ? [] : [CONTROLLER] }),
      moment.isReset === true ? NO_EVIDENCE : afterGap(evidence, (moment.gapS ?? 0) * 1_000), { monotonicMs: moment.atS * 1_000, times: DEFAULT_TIMES },
    );
    evidence = plan.evidence;
    return plan.actions.flatMap(action => {
      if (action.kind !== 'set-node-condition') {
        return [];
      }
      lost.add(action.node);
      return [`${action.node} at ${String(moment.atS)}: ${action.reason}`];
    });
  });
}

const loses = test.macro({
  exec(t, moments: readonly Moment[], expected: readonly string[]) {
    t.deepEqual(losses(moments), expected);
  },
  title: (name = '') => `planNodes: ${name}`,
});
const one = nodes(3, { n1: silent });
test('a ready node with a live holder stays', loses, [0, 100, 1000].map(atS => ({ atS, nodes: nodes(3, {}) })), []);
test('a silent node is lost after EVICT of the leader\'s own count', loses, [{ atS: 0, nodes: one }, { atS: 29.9, nodes: one }, { atS: 30, nodes: one }, { atS: 31, nodes: one }], ['n1 at 30: silence']);
test('a node heard in between is counted anew', loses, [{ atS: 0, nodes: one }, { atS: 20, nodes: nodes(3, {}) }, { atS: 25, nodes: one }, { atS: 54, nodes: one }, { atS: 55, nodes: one }], ['n1 at 55: silence']);
test('A1: a new leader gives the full time again', loses, [{ atS: 0, nodes: one }, { atS: 25, nodes: one, isReset: true }, { atS: 54, nodes: one }, { atS: 55, nodes: one }], ['n1 at 55: silence']);
test('a leader that stood still counts on from what it had counted', loses,
  [{ atS: 0, nodes: one }, { atS: 25, nodes: one }, { atS: 31, nodes: one, gapS: 6 }, { atS: 35.9, nodes: one }, { atS: 36, nodes: one }], ['n1 at 36: silence']);
const stalling = Array.from({ length: 40 }, (_, index): Moment => ({ atS: index * 3, nodes: one, ...(index > 0 && index % 5 === 0 ? { gapS: 3 } : {}) }));
test('A3: a leader that stands still 3 s of each 15 s gives up a silent node', loses, stalling, ['n1 at 36: silence']);
test('a vanished holder makes its nodes unknown: LOST + EVICT from then', loses,
  [0, 49, 50].map(atS => ({ atS, nodes: nodes(1, {}), hasHolder: false })), ['n1 at 50: silence']);
test('agents that come back to another holder within LOST + EVICT are never lost', loses,
  [{ atS: 0, nodes: nodes(3, {}), hasHolder: false }, { atS: 49, nodes: nodes(3, {}) }, { atS: 99, nodes: nodes(3, {}), hasHolder: false }, { atS: 148, nodes: nodes(3, {}), hasHolder: false }], []);
test('unknown turned silent is counted from then', loses, [{ atS: 0, nodes: nodes(3, {}), hasHolder: false }, { atS: 10, nodes: one }, { atS: 39, nodes: one }, { atS: 40, nodes: one }], ['n1 at 40: silence']);

const two = nodes(3, { n1: silent, n2: silent });
const every10s = (until: number, at: (atS: number) => readonly Node[]): readonly Moment[] => Array.from({ length: until / 10 + 1 }, (_, index) => ({ atS: index * 10, nodes: at(index * 10) }));
test('D6: half of the nodes silent within 60 s opens the breaker: nothing is lost', loses, every10s(600, () => two), []);
test('D6: all agents cut', loses, every10s(600, () => nodes(3, { n1: silent, n2: silent, n3: silent })), []);
test('the breaker also holds when its leader is replaced', loses, every10s(600, () => two).map(moment => ({ ...moment, isReset: moment.atS === 300 })), []);
test('one of four is no mass', loses, every10s(40, () => nodes(4, { n1: silent })), ['n1 at 30: silence']);
test('two of four are', loses, every10s(100, () => nodes(4, { n1: silent, n2: silent })), []);
test('two of five are not: one each pace, the longest away first', loses,
  every10s(60, atS => nodes(5, atS === 0 ? { n2: silent } : { n1: silent, n2: silent })), ['n2 at 30: silence', 'n1 at 40: silence']);
test('of two that are due at once one is evicted at a time', loses, every10s(60, () => nodes(5, { n1: silent, n2: silent })), ['n1 at 30: silence', 'n2 at 40: silence']);
test('two of three, but more than 60 s apart, are no mass', loses, every10s(120, atS => nodes(3, atS < 70 ? { n1: silent } : { n1: silent, n2: silent })), ['n1 at 30: silence', 'n2 at 100: silence']);
test('the second within 60 s of the first, already lost, opens the breaker', loses, every10s(200, atS => nodes(3, atS < 50 ? { n1: silent } : { n1: silent, n2: silent })), ['n1 at 30: silence']);
test('the breaker closes after 60 s below the mass', loses,
  every10s(120, atS => (atS < 20 ? two : one)), ['n1 at 80: silence']);
test('nodes that were removed keep no breaker open', loses,
  every10s(120, atS => (atS < 20 ? two : nodes(1, { n1: silent }))), ['n1 at 80: silence']);
const confirmed = nodes(3, { n1: { condition: 'silent', isLossConfirmed: true }, n2: silent });
test('a confirmed loss is believed at once, also while the breaker is open', loses, [{ atS: 0, nodes: two }, { atS: 1, nodes: confirmed }], ['n1 at 1: loss-confirmed']);
test('nodes lost before the leader began cannot open the breaker', loses,
  every10s(60, () => nodes(4, { n1: { condition: 'lost' }, n2: { condition: 'lost' }, n3: silent })), ['n3 at 30: silence']);

test('a node is away since it was silent for LOST: of one that nobody listens to the leader has counted nothing before', t => {
  const counted = (current: readonly Node[], controllers: readonly ControllerRecord[], atS: number): number => {
    const sessions = current.map((of): SessionRecord => ({ node: of.id, sessionId: 's', controllerId: 'c1', openedAtMs: T0, instanceNonce: '' }));
    const { evidence } = planNodes(snapshot({ nodes: current, sessions, controllers }), NO_EVIDENCE, { monotonicMs: 0, times: DEFAULT_TIMES });
    return awayForMs(evidence, node('n1').id, { monotonicMs: atS * 1_000, times: DEFAULT_TIMES });
  };
  t.is(counted(one, [CONTROLLER], 25), 25_000);
  t.is(counted(nodes(3, { n1: { condition: 'lost' } }), [CONTROLLER], 25), 25_000);
  t.is(counted(nodes(3, {}), [], 25), 5_000);
  t.is(counted(nodes(3, {}), [], 15), -5_000);
  t.is(counted(nodes(3, {}), [CONTROLLER], 25), 0);
});

test('opening and closing the breaker is told', t => {
  const at = (monotonicMs: number) => ({ monotonicMs, times: DEFAULT_TIMES });
  const opened = planNodes(snapshot({ nodes: two, controllers: [CONTROLLER] }), NO_EVIDENCE, at(0));
  t.deepEqual(opened.events.map(event => event.reason), ['MassBreakerOpened']);
  const still = planNodes(snapshot({ nodes: two }), opened.evidence, at(1_000));
  t.deepEqual(still.events, []);
});

const OPEN: ClusterEvent = { type: 'warning', object: 'cluster', reason: 'MassBreakerOpened', message: 'open', firstAtMs: T0, lastAtMs: T0, count: 1 };

/** What a plan does about the record of the breaker: `open`, `close` or nothing. */
function breakerSteps(current: readonly Node[], evidence: NodeEvidence, atS: number, massBreaker?: ClusterEvent): readonly string[] {
  const sessions = current.map((one): SessionRecord => ({ node: one.id, sessionId: 's', controllerId: 'c1', openedAtMs: T0, instanceNonce: '' }));
  const given = snapshot({ nodes: current, sessions, controllers: [CONTROLLER], ...(massBreaker === undefined ? {} : { massBreaker }) });
  const { actions } = planNodes(given, evidence, { monotonicMs: atS * 1_000, times: DEFAULT_TIMES });
  return actions.map(action => (action.kind === 'set-mass-breaker' ? (action.isOpen ? 'open' : 'close') : action.kind));
}

test('an opened breaker is written down, once', t => {
  t.deepEqual(breakerSteps(two, NO_EVIDENCE, 0), ['open']);
  t.deepEqual(breakerSteps(two, NO_EVIDENCE, 0, OPEN), []);
});

test('a leader that has only begun to count goes on from the record: open, until MASS was not away for 60 s', t => {
  t.deepEqual(breakerSteps(one, NO_EVIDENCE, 100, OPEN), []);
  const calm = (sinceS: number): NodeEvidence => ({ ...NO_EVIDENCE, breaker: { isOpen: true, calmSinceMs: sinceS * 1_000 } });
  t.deepEqual(breakerSteps(nodes(3, {}), calm(41), 100, OPEN), []);
  t.deepEqual(breakerSteps(nodes(3, {}), calm(40), 100, OPEN), ['close']);
});
