import test from 'ava';
import { manifest, serviceOf, violationsOf } from '../../../support/manifest.ts';

test('a canary has steps, and is promoted by itself unless told otherwise', t => {
  t.like(serviceOf({ update: { strategy: 'canary', steps: ['10%', '50%'] } }).update, { strategy: 'canary', stepPercents: [10, 50], promote: undefined });
  t.like(serviceOf({ update: { strategy: 'canary', steps: ['10%'], promote: 'manual' } }).update, { promote: 'manual' });
});

test('blue_green can wait for an operator', t => {
  const { update } = serviceOf({ update: { strategy: 'blue_green', promote: 'manual' } });
  t.like(update, { strategy: 'blue_green', promote: 'manual' });
  t.false('stepPercents' in update);
});

test('a deadline of the progress is there where it is written', t => {
  t.is(serviceOf({ update: { progress_deadline: '10m' } }).update.progressDeadlineMs, 600_000);
  t.false('progressDeadlineMs' in serviceOf({}).update);
});

const complains = test.macro({
  exec(t, update: object, path: string, message: RegExp) {
    const [first] = violationsOf(manifest({ update }));
    t.is(first?.path, `services.web.update.${path}`);
    t.regex(first?.message ?? '', message);
  },
  title: (_, update) => `complains of ${JSON.stringify(update)}`,
});
test(complains, { strategy: 'canary' }, 'steps', /required|missing|must/);
test(complains, { strategy: 'canary', steps: ['10'] }, 'steps[0]', /as 25%, got '10'/);
test(complains, { strategy: 'canary', steps: '10%' }, 'steps', /must be a list/);
test(complains, { steps: ['10%'] }, 'steps', /only the strategy canary/);
test(complains, { promote: 'auto' }, 'promote', /only the strategies canary and blue_green/);
test(complains, { strategy: 'canary', steps: ['10%'], promote: 'later' }, 'promote', /none of auto, manual/);
test(complains, { strategy: 'blue' }, 'strategy', /none of rolling, canary, blue_green, recreate/);
test(complains, { step: [] }, 'step', /did you mean 'steps'/);
test(complains, { progress_deadline: 600 }, 'progress_deadline', /.+/);
