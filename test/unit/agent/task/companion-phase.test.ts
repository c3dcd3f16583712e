import test from 'ava';
import type { CompanionSpec } from '#model/service.ts';
import { bringUp, keepUp, takeDown } from '../../../../agent/task/companion-phase.ts';
import type { CompanionsObserved, CompanionStep } from '../../../../agent/task/companion-phase.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import type { CompanionRecord } from '../../../../agent/task/record.ts';
import { container, service, T0, task } from '../../../support/builders.ts';

const EXIT = (code: number | null): CompanionRecord['lastExit'] => ({ attempt: 1, code, reason: 'exited', finishedAtMs: T0 });
const IDLE: CompanionRecord = { step: 'idle', run: 0, recent: [], notBeforeMs: 0, isDone: false };
const RUNNING: CompanionRecord = { ...IDLE, step: 'running', run: 1 };
const DONE: CompanionRecord = { ...IDLE, run: 1, isDone: true, lastExit: EXIT(0)! };
const END = { code: 1, isOomKilled: false, finishedAtMs: T0 };

/** Roles by letter: `iis` is two init containers and a sidecar. */
function seen(roles: string, companions: readonly CompanionRecord[], rest: Partial<CompanionsObserved> = {}): CompanionsObserved {
  const specs = Array.from(roles, (letter, index): CompanionSpec => ({ name: `c${String(index)}`, role: letter === 'i' ? 'init' : 'sidecar', container: container() }));
  const made = task(service(), 'n1', { companions: specs, container: container({ stopGracePeriodMs: 10_000 }) });
  return { record: { ...newRecord(made, 1, 'boot'), companions }, companionEnds: new Map(), mayStart: true, ...rest };
}

const leadsTo = test.macro({
  exec(t, decide: (observed: CompanionsObserved, nowMs: number) => CompanionStep, observed: CompanionsObserved, expected: Partial<CompanionStep>) {
    t.like(decide(observed, T0), expected);
  },
  title: (name = '', decide: (observed: CompanionsObserved, nowMs: number) => CompanionStep) => `${decide.name}: ${name}`,
});
test('the first comes first', leadsTo, bringUp, seen('ii', [IDLE, IDLE]), { kind: 'start-companion', index: 0 });
test('an init container is waited for', leadsTo, bringUp, seen('ii', [RUNNING, IDLE]), { kind: 'wait' });
test('its end is recorded', leadsTo, bringUp, seen('ii', [RUNNING, IDLE], { companionEnds: new Map([[0, END]]) }), { kind: 'settle-companion', index: 0 });
test('its leftovers go', leadsTo, bringUp, seen('ii', [{ ...DONE, step: 'ended' }, IDLE]), { kind: 'clear-companion', index: 0 });
test('after exit 0 the next', leadsTo, bringUp, seen('ii', [DONE, IDLE]), { kind: 'start-companion', index: 1 });
test('another code fails the attempt', leadsTo, bringUp, seen('ii', [{ ...DONE, lastExit: EXIT(3)! }, IDLE]), { kind: 'init-failed', index: 0 });
test('a code that nobody saw fails the attempt', leadsTo, bringUp, seen('i', [{ ...DONE, lastExit: EXIT(null)! }]), { kind: 'init-failed', index: 0 });
test('a sidecar is not waited for', leadsTo, bringUp, seen('ss', [RUNNING, IDLE]), { kind: 'start-companion', index: 1 });
test('all up', leadsTo, bringUp, seen('is', [DONE, RUNNING]), { kind: 'ready' });
test('a sidecar that is due later holds up the next', leadsTo, bringUp, seen('ss', [{ ...IDLE, run: 2, notBeforeMs: T0 + 5 }, IDLE]), { kind: 'wait', untilMs: T0 + 5 });
test('a sidecar that is done for good holds up nothing', leadsTo, bringUp, seen('s', [{ ...DONE, lastExit: EXIT(1)! }]), { kind: 'ready' });
test('half built is cleared', leadsTo, bringUp, seen('i', [{ ...IDLE, step: 'building', run: 1 }]), { kind: 'clear-companion', index: 0 });
test('without the permit nothing starts', leadsTo, bringUp, seen('i', [IDLE], { mayStart: false }), { kind: 'wait' });
test('none', leadsTo, bringUp, seen('', []), { kind: 'ready' });

test('all well', leadsTo, keepUp, seen('iss', [DONE, RUNNING, RUNNING]), { kind: 'wait' });
test('an end is recorded', leadsTo, keepUp, seen('ss', [RUNNING, RUNNING], { companionEnds: new Map([[1, END]]) }), { kind: 'settle-companion', index: 1 });
test('one that is due starts', leadsTo, keepUp, seen('ss', [RUNNING, { ...IDLE, run: 1, notBeforeMs: T0 }]), { kind: 'start-companion', index: 1 });
test('the earliest that is due is waited for', leadsTo, keepUp, seen('ss', [{ ...IDLE, run: 1, notBeforeMs: T0 + 9 }, { ...IDLE, run: 1, notBeforeMs: T0 + 7 }]), { kind: 'wait', untilMs: T0 + 7 });
test('one that waits does not hold up another', leadsTo, keepUp, seen('ss', [{ ...IDLE, run: 1, notBeforeMs: T0 + 9 }, IDLE]), { kind: 'start-companion', index: 1 });

test('the last one is told first', leadsTo, takeDown, seen('ss', [RUNNING, RUNNING]), { kind: 'signal-companion', index: 1 });
test('it is waited for', leadsTo, takeDown, seen('ss', [RUNNING, RUNNING], { companionsStopping: { sinceMs: 4_000, signalled: new Set([1]) } }), { kind: 'wait', untilMs: T0 + 6_000 });
test('then the one before it', leadsTo, takeDown, seen('ss', [RUNNING, { ...IDLE, run: 1 }], { companionsStopping: { sinceMs: 4_000, signalled: new Set([1]) } }), { kind: 'signal-companion', index: 0 });
test('the grace period is one for all', leadsTo, takeDown, seen('ss', [RUNNING, RUNNING], { companionsStopping: { sinceMs: 10_000, signalled: new Set([1]) } }), { kind: 'ready' });
test('none runs', leadsTo, takeDown, seen('is', [DONE, IDLE]), { kind: 'ready' });
test('an end that was seen is recorded before all goes', leadsTo, takeDown, seen('s', [RUNNING], { companionEnds: new Map([[0, END]]) }), { kind: 'settle-companion', index: 0 });
