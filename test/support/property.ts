import fc from 'fast-check';
import { seed } from './seed.ts';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });

/** The only door to fast-check: its properties begin at `seed`, and what fails is told with the smallest counterexample. */
export { fc };
