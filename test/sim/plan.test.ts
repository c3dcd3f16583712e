/** A plan and what then happens, on random clusters on a virtual clock. */
import test from 'ava';
import { PlanSimulation } from './plan-sim.ts';

const SEEDS = 40;
const CHANGES = 5;

test('a change of one service ends exactly where the plan said, whenever agents report', t => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const simulation = new PlanSimulation(seed, 1);
    for (let change = 1; change <= CHANGES; change += 1) {
      const { planned, carriedOut } = simulation.change();
      t.deepEqual(carriedOut, planned, `seed ${String(seed)}, change ${String(change)}`);
      t.true(simulation.isAtRest());
    }
  }
});

test('and so does a change of many services at once, whose rollouts go on beside each other', t => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const simulation = new PlanSimulation(seed, 6);
    for (let change = 1; change <= CHANGES; change += 1) {
      const { planned, carriedOut } = simulation.change();
      t.deepEqual(carriedOut, planned, `seed ${String(seed)}, change ${String(change)}`);
    }
  }
});
