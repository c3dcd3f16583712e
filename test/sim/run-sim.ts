/** `SEED=n` runs one seed, `SEEDS=n` the first n (200); exits 1 at the first violation and says how to run it again. */
import { simulate } from './simulation.ts';

const { SEED, SEEDS } = process.env;
const first = SEED === undefined ? 1 : Number(SEED);
const last = SEED === undefined ? Number(SEEDS ?? '200') : first;
let actionCount = 0;
for (let seed = first; seed <= last; seed += 1) {
  const report = simulate(seed, { isShuffled: false });
  const again = simulate(seed, { isShuffled: true });
  const violations = report.traceHash === again.traceHash ? report.violations : [...report.violations, 'I4: shuffled input gave another trace'];
  actionCount += report.actionCount;
  if (violations.length > 0) {
    console.error(`SEED=${String(seed)} npm run sim\n  ${violations.join('\n  ')}`);
    process.exit(1);
  }
}
console.log(`${String(last - first + 1)} seeds, ${String(actionCount)} actions, no violation`);
