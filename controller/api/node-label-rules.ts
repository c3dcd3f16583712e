/** What a label of a node may be. */
import { printable } from '#model/printable.ts';

const MAX_VALUE_LENGTH = 1024;
const NAME = /^[a-z0-9A-Z](?:[a-z0-9A-Z._/-]{0,251}[a-z0-9A-Z])?$/;

export function labelNameProblem(name: string): string | undefined {
  return NAME.test(name) ? undefined : `label name ${JSON.stringify(name)} is not letters, digits, . _ / - (at most 253, ends in a letter or digit)`;
}

export function labelValueProblem(name: string, value: string): string | undefined {
  const isGood = value.length <= MAX_VALUE_LENGTH && printable(value) === value;
  return isGood ? undefined : `the value of label ${name} must be one line of at most ${String(MAX_VALUE_LENGTH)} characters`;
}
