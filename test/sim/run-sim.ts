/** `SEED=n` runs one seed, `SEEDS=n` the first n (200); exits 1 at the first violation and says how to run it again. */
import { simulate } from './simulation.ts';

const { SEED, SEEDS } = process.env;
const first = SEED === undefined ? 1 : Number(SEED);
const last = SEED === undefined ? Number(SEEDS ?? '200') : first;
const reached = new Map<string, number>();
for (let seed = first; seed <= last; seed += 1) {
  const report = simulate(seed, { isShuffled: false });
  const again = simulate(seed, { isShuffled: true });
  const violations = report.traceHash === again.traceHash ? report.violations : [...report.violations, 'I4: shuffled input gave another trace'];
  report.actions.forEach((count, kind) => { reached.set(kind, (reached.get(kind) ?? 0) + count); });
  if (violations.length > 0) {
    console.error(`SEED=${String(seed)} npm run sim\n  ${violations.join('\n  ')}`);
    process.exit(1);
  }
}
for (const [kind, count] of [...reached].sort()) {
  console.log(`${String(count).padStart(8)} ${kind}`);
}
console.log(`seeds ${String(first)} to ${String(last)}: no violation`);
