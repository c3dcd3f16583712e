/** Which labels a node would need for rules to hold. */
import { matches } from '#model/constraint.ts';
import type { PlacementRule } from '#model/service.ts';

/** Label -> its value then; undefined: without it. Only labels that change, in the order of the rules. */
export type LabelChange = ReadonlyMap<string, string | undefined>;

/** The change after which all rules hold; undefined where no values do that. */
export function labelChange(labels: ReadonlyMap<string, string>, rules: readonly PlacementRule[]): LabelChange | undefined {
  const change = new Map<string, string | undefined>();
  for (const [label, ofLabel] of Map.groupBy(rules, rule => rule.label)) {
    const holds = (value: string | undefined): boolean => ofLabel.every(rule => matches(rule, new Map(value === undefined ? [] : [[label, value]])));
    if (holds(labels.get(label))) {
      continue;
    }
    const values = ofLabel.flatMap(valuesFor);
    const value = values.find(holds);
    if (value === undefined && !holds(undefined)) {
      return undefined;
    }
    change.set(label, value);
  }
  return change;
}

export function withLabels(labels: ReadonlyMap<string, string>, change: LabelChange): ReadonlyMap<string, string> {
  const changed = new Map(labels);
  for (const [label, value] of change) {
    if (value === undefined) {
      changed.delete(label);
    } else {
      changed.set(label, value);
    }
  }
  return changed;
}

/** Values that the rule alone would take. */
function valuesFor({ operator, values }: PlacementRule): readonly string[] {
  switch (operator) {
    case '==':
    case 'in': return values;
    case 'exists': return ['true'];
    case '>': return values.map(value => String(Number(value) + 1));
    case '<': return values.map(value => String(Number(value) - 1));
    case '!=':
    case 'not-in':
    case 'not-exists': return [];
  }
}
