/** What `-l` selects, in kubectl's words: `key=value`, `==`, `!=`, `in (a, b)`, `notin (a, b)`, `key`, `!key`, separated by commas that must all hold. */
import { matches } from '#model/constraint.ts';
import { quoted } from '#model/printable.ts';
import type { PlacementRule } from '#model/service.ts';

export type LabelSelector = readonly PlacementRule[];

const KEY = '[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?';
const VALUE = '[A-Za-z0-9._/:-]*';
const EQUALITY = new RegExp(`^(${KEY})\\s*(==|=|!=)\\s*(${VALUE})$`);
const SET = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const PRESENCE = new RegExp(`^(!?)\\s*(${KEY})$`);
const WHOLE_VALUE = new RegExp(`^${VALUE}$`);
/** Commas within brackets separate values, not requirements. */
const REQUIREMENTS = /,(?![^(]*\))/;

/**
 * Source: Kubernetes, "Labels and Selectors", "Label selectors": an absent key satisfies `!=` and `notin`.
 *
 * @returns the selector, or what is wrong in it
 */
export function parseLabelSelector(text: string): LabelSelector | { readonly problem: string } {
  const rules = text.split(REQUIREMENTS).map(part => ({ part, rule: parseRequirement(part.trim()) }));
  const wrong = rules.find(({ rule }) => rule === undefined);
  return wrong === undefined
    ? rules.flatMap(({ rule }) => rule ?? [])
    : { problem: `${quoted(wrong.part)} is none of key=value, key!=value, key in (a, b), key notin (a, b), key, !key; as in -l 'tier=web,zone!=b'` };
}

/** True when the labels meet every requirement. */
export function selects(selector: LabelSelector, labels: ReadonlyMap<string, string>): boolean {
  return selector.every(rule => matches(rule, labels));
}

function parseRequirement(text: string): PlacementRule | undefined {
  return parseEquality(text) ?? parseSet(text) ?? parsePresence(text);
}

function parseEquality(text: string): PlacementRule | undefined {
  const [, label, operator, value] = EQUALITY.exec(text) ?? [];
  return label === undefined || value === undefined ? undefined : { label, operator: operator === '!=' ? '!=' : '==', values: [value] };
}

function parseSet(text: string): PlacementRule | undefined {
  const [, label, word, list] = SET.exec(text) ?? [];
  const values = (list ?? '').split(',').map(one => one.trim());
  return label === undefined || !values.every(one => WHOLE_VALUE.test(one)) ? undefined : { label, operator: word === 'in' ? 'in' : 'not-in', values };
}

function parsePresence(text: string): PlacementRule | undefined {
  const [, not, label] = PRESENCE.exec(text) ?? [];
  return label === undefined ? undefined : { label, operator: not === '!' ? 'not-exists' : 'exists', values: [] };
}
