import test from 'ava';
import { fc } from './property.ts';
import type { Codec } from '#codec/wire.ts';

interface Message<Wire> {
  encode(message: Wire): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Wire;
}

const RUNS = 60;

/** Any value of the model comes back equal after its bytes. A failure prints fast-check's seed. */
export function testRoundTrip<Model, Wire>(what: string, codec: Codec<Model, Wire>, message: Message<Wire>, values: fc.Arbitrary<Model>): void {
  test(`${what}: what was encoded decodes to an equal value`, t => {
    fc.assert(fc.property(values, value => {
      t.deepEqual(codec.fromWire(message.decode(message.encode(codec.toWire(value)).finish())), value);
    }), { numRuns: RUNS });
  });
}

/** Compiles only while each field of the model has a field of the wire with its name (or is derived from others). */
export type Carried<Model, Wire, Derived extends string = never> = [Exclude<keyof Model, keyof Wire | Derived>] extends [never] ? true : Exclude<keyof Model, keyof Wire | Derived>;
