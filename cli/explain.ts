/** Fields of the manifest by their paths: `services.update.max_surge`. */
import { ClusterError } from '#model/errors.ts';
import { nearestWord } from '#model/nearest-word.ts';
import { quoted } from '#model/printable.ts';
import type { FieldDoc } from './field-docs.ts';
import { MANIFEST } from './manifest-fields.ts';
import { typeOf } from './target.ts';

export interface FoundField {
  /** Names that stand for names of the user's own are left out, as kubectl does. */
  readonly path: string;
  readonly field: FieldDoc;
}

/** The types of `get` stand for the sections of their names. */
const SECTIONS: Readonly<Record<string, string>> = { service: 'services', config: 'configs', secret: 'secrets', volume: 'volumes' };
/** In the place of a name of the user's own. */
const ANY_NAME = ['NAME', '*'];

/** @param path  empty: the document. @throws ClusterError NOT_FOUND with the nearest field, or all there are */
export function findField(path: string): FoundField {
  const given = path.replace(/\[\d*\]/g, '').split('.').filter(word => word !== '' && !ANY_NAME.includes(word));
  const words = isOfService(given[0]) ? ['services', ...given] : given;
  let field = MANIFEST;
  const names: string[] = [];
  for (const [index, word] of words.entries()) {
    if (index === 0 && typeOf(word) === 'app') {
      continue;
    }
    field = requireChild(field, index === 0 ? SECTIONS[typeOf(word) ?? word] ?? word : word, names.join('.'));
    names.push(field.name);
  }
  return { path: names.join('.'), field };
}

/** A field of a service alone may stand without `services.` before it. */
function isOfService(word: string | undefined): boolean {
  const has = (field: FieldDoc | undefined): boolean => field?.fields?.some(({ name }) => name === word) ?? false;
  return word !== undefined && typeOf(word) === undefined && !has(MANIFEST) && has(MANIFEST.fields?.find(({ name }) => name === 'services'));
}

function requireChild({ fields = [] }: FieldDoc, name: string, parent: string): FieldDoc {
  const found = fields.find(field => field.name === name);
  if (found !== undefined) {
    return found;
  }
  const where = parent === '' ? 'the manifest' : parent;
  const names = fields.map(field => field.name);
  const near = nearestWord(name, names);
  throw new ClusterError('NOT_FOUND', `${where} has no field ${quoted(name)}; ${near !== undefined ? `did you mean '${near}'?` : names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`}`);
}

/** `list of PUBLISHED:TARGET or mapping`, `one of tcp, udp`. */
export function fieldType({ shape, leaf, words, fields }: FieldDoc): string {
  const value = [...(words === undefined ? [] : [words.length === 1 ? words.join('') : `one of ${words.join(', ')}`]), ...(leaf === undefined ? [] : [leaf]), ...(fields === undefined ? [] : ['mapping'])].join(' or ');
  return { one: value, list: `list of ${value}`, named: `mapping of NAME to ${value}` }[shape];
}

/** Paths that a path which is being typed may become. */
export function completeField(typed: string): readonly string[] {
  const dot = typed.lastIndexOf('.');
  try {
    const { field } = findField(typed.slice(0, Math.max(0, dot)));
    const parent = typed.slice(0, dot + 1);
    return (field.fields ?? []).map(({ name }) => `${parent}${name}`).filter(path => path.startsWith(typed)).toSorted();
  } catch {
    return []; // no such parent: nothing may follow
  }
}
