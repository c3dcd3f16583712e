import test from 'ava';
import { figures, formatReport, goalText, isMet, makeReport } from '../../bench/report.ts';
import type { Measured } from '../../bench/report.ts';

const MEASURED: Measured = {
  bench: 'start', machine: {}, rounds: 3, unit: 'ms', isMoreBetter: false, noisy: false, extra: { agentRssMb: 60, phasesMs: { mount: 1.5 } },
  gantry: { name: 'gantry', samples: [10, 30, 20] }, peer: { name: 'docker', samples: [200, 100, 300] },
};

test('figures: least, middle, and the last but one in a hundred', t => {
  t.deepEqual(figures(Array.from({ length: 200 }, (_, index) => 200 - index)), { min: 1, p50: 101, p99: 199 });
});

test('figures: nothing measured is an error', t => {
  t.throws(() => figures([]), { message: 'nothing was measured' });
});

test('makeReport: a ratio above 1 is better, for times and for rates', t => {
  t.is(makeReport(MEASURED, []).ratio.peer, 10);
  t.is(makeReport({ ...MEASURED, isMoreBetter: true }, []).ratio.peer, 0.1);
});

test('makeReport: without a peer there is no ratio, and a goal for it is not met', t => {
  const { peer, ...alone } = MEASURED;
  t.truthy(peer);
  const report = makeReport(alone, [{ of: 'ratio.peer', atLeast: 1 }]);
  t.is(report.peer, null);
  t.is(report.ratio.peer, null);
  t.false(report.pass);
});

test('isMet: bounds count as met, and names go below', t => {
  t.true(isMet({ of: 'extra.phasesMs.mount', atMost: 1.5 }, MEASURED));
  t.false(isMet({ of: 'extra.phasesMs.mount', atMost: 1.4 }, MEASURED));
  t.true(isMet({ of: 'extra.agentRssMb', atLeast: 60 }, MEASURED));
  t.false(isMet({ of: 'extra.absent', atLeast: 0 }, MEASURED));
});

test('formatReport: every figure and goal is there', t => {
  const goals = [{ of: 'ratio.peer', atLeast: 8 }, { of: 'extra.agentRssMb', atMost: 50 }];
  const text = formatReport(makeReport({ ...MEASURED, noisy: true }, goals), goals);
  for (const part of ['NOISY', 'docker', 'ratio 10', 'agentRssMb', '{"mount":1.5}', 'met     ratio.peer >= 8', 'NOT MET extra.agentRssMb <= 50']) {
    t.true(text.includes(part), part);
  }
});

test('goalText: both bounds', t => {
  t.is(goalText({ of: 'extra.x', atLeast: 1, atMost: 2 }), 'extra.x >= 1 and <= 2');
});
