import test from 'ava';
import { checkUpdate } from '#model/update-rules.ts';
import type { ServiceSpec, UpdateSpec } from '#model/service.ts';
import { service } from '../../../support/builders.ts';

const refuses = test.macro({
  exec(t, of: Partial<Pick<ServiceSpec, 'kind' | 'onDisconnect'>> & { readonly update: Partial<UpdateSpec> }, expected: readonly string[]) {
    const { spec } = service({});
    const violations = checkUpdate({ ...spec, ...of, update: { ...spec.update, ...of.update } }, 'update');
    t.deepEqual(violations.map(one => one.path), expected);
  },
  title: (_, of) => JSON.stringify(of),
});
test(refuses, { update: { strategy: 'canary', stepPercents: [10, 50, 100] } }, []);
test(refuses, { update: { strategy: 'canary', stepPercents: [1] } }, []);
test(refuses, { update: { strategy: 'canary', stepPercents: [] } }, ['update.steps']);
test(refuses, { update: { strategy: 'canary' } }, ['update.steps']);
test(refuses, { update: { strategy: 'canary', stepPercents: [0] } }, ['update.steps[0]']);
test(refuses, { update: { strategy: 'canary', stepPercents: [101] } }, ['update.steps[0]']);
test(refuses, { update: { strategy: 'canary', stepPercents: [50, 50] } }, ['update.steps[1]']);
test(refuses, { update: { strategy: 'canary', stepPercents: Array.from({ length: 21 }, (_, index) => index + 1) } }, ['update.steps']);
test(refuses, { update: { strategy: 'rolling', stepPercents: [10] } }, ['update.steps']);
test(refuses, { update: { strategy: 'recreate', promote: 'manual' } }, ['update.promote']);
test(refuses, { update: { strategy: 'blue_green', promote: 'manual' } }, []);
test(refuses, { kind: 'stateful', update: { strategy: 'blue_green' } }, ['update.strategy']);
test(refuses, { kind: 'global', update: { strategy: 'blue_green' } }, ['update.strategy']);
test(refuses, { onDisconnect: { kind: 'exclusive', stopAfterMs: 30_000, replaceAfterMs: 50_000 }, update: { strategy: 'blue_green', maxSurge: 0, maxUnavailable: 1 } }, ['update.strategy']);
test(refuses, { onDisconnect: { kind: 'hold' }, update: { strategy: 'blue_green', maxSurge: 0, maxUnavailable: 1 } }, ['update.strategy']);
test(refuses, { kind: 'job', update: { strategy: 'canary', stepPercents: [10] } }, ['update.strategy']);
test(refuses, { kind: 'global', update: { strategy: 'canary', stepPercents: [10] } }, ['update.strategy']);
test(refuses, { update: { progressDeadlineMs: 1_000 } }, []);
test(refuses, { update: { progressDeadlineMs: 86_400_000 } }, []);
test(refuses, { update: { progressDeadlineMs: 999 } }, ['update.progress_deadline']);
test(refuses, { update: { progressDeadlineMs: 86_400_001 } }, ['update.progress_deadline']);
test(refuses, { kind: 'job', update: { progressDeadlineMs: 60_000 } }, ['update.progress_deadline']);
