import test from 'ava';
import { SharedShapes, UnitShape } from '../../../../controller/schedule/unit-shape.ts';
import { WHOLE, chooseUnits } from '#model/device-share.ts';
import { fc } from '../../../support/property.ts';

const someUnits = fc.array(fc.integer({ min: 0, max: 40 }).map(one => one * 25), { maxLength: 8 });

test('the units that a shape takes are the units that the table takes', t => {
  fc.assert(fc.property(someUnits, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 }), (units, count, parts) => {
    const milli = parts * 25;
    const chosen = chooseUnits(units, { name: 'gpu', count, milli });
    const taken = new UnitShape(units).take({ count, milli });
    t.deepEqual(taken?.after.units, chosen === undefined ? undefined : units.map((left, unit) => (chosen.includes(unit) ? left - milli : left)).sort((left, right) => left - right));
    t.is(taken?.opens, chosen?.some(unit => units[unit] === WHOLE && milli < WHOLE));
  }));
});

test('free thousandths that no task of so many units and eighths can use', t => {
  fc.assert(fc.property(someUnits, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 8 }), (units, count, eighths) => {
    const fitting = units.filter(left => left >= eighths * 125);
    const sum = (some: readonly number[]): number => some.reduce((total, left) => total + left, 0);
    const shape = new UnitShape(units);
    t.is(shape.free, sum(units));
    t.is(shape.uselessFor(count, eighths), fitting.length < count ? sum(units) : sum(units) - sum(fitting));
  }));
});

test('a shape forgets old requests and stays right', t => {
  const shape = new UnitShape([WHOLE, 0]);
  for (const milli of [...Array.from({ length: 200 }, (_, index) => index + 1), 1]) {
    t.deepEqual(shape.take({ count: 1, milli })?.after.units, [0, WHOLE - milli]);
  }
  t.is(shape.take({ count: 2, milli: 1 }), undefined);
});

test('rows whose units are alike share a shape, in any order of the units, and only as many are kept as are bounded', t => {
  const shapes = new SharedShapes();
  const first = shapes.of([500, 1_000]);
  t.is(shapes.of([1_000, 500]), first);
  for (let free = 0; free < 5_000; free += 1) shapes.of([free]);
  t.not(shapes.of([500, 1_000]), first);
});
