/** In which fields a service differs from what is in force. */
import type { Service } from '#model/app.ts';
import type { FieldChange } from '#model/cluster-plan.ts';
import type { ServiceSpec } from '#model/service.ts';

/** Characters of a digest that tell one content from another. */
const SHORT_DIGEST = 12;
/** Characters of a value that are shown. */
const MAX_SHOWN = 200;

/** One change a leaf, in order of paths; a service that comes or goes is one change. Contents of secrets are in no spec. */
export function fieldChanges(before: Service | undefined, after: Service): readonly FieldChange[] {
  const service = after.id;
  if (before === undefined || before.isDeleting) {
    return [{ service, path: '', after: 'new service' }];
  }
  if (after.isDeleting) {
    return [{ service, path: '', before: 'service' }];
  }
  const old = leavesOf(before.spec, before);
  const wished = leavesOf(after.spec, after);
  const paths = [...new Set([...old.keys(), ...wished.keys()])].sort();
  return paths.filter(path => old.get(path) !== wished.get(path)).map(path => {
    const [was, will] = [old.get(path), wished.get(path)];
    return { service, path, ...(was === undefined ? {} : { before: was }), ...(will === undefined ? {} : { after: will }) };
  });
}

function leavesOf(spec: ServiceSpec, { pins, volumes }: Service): ReadonlyMap<string, string> {
  const leaves = new Map<string, string>();
  const { container, ...rest } = spec;
  collect(leaves, '', { ...rest, ...container, declared: { volumes } });
  pins.configs.forEach(({ name, sha256 }) => leaves.set(`configs.${name}`, `content ${sha256.slice(0, SHORT_DIGEST)}`));
  pins.secrets.forEach(({ name, version }) => leaves.set(`secrets.${name}`, `version ${String(version)}`));
  return leaves;
}

function collect(leaves: Map<string, string>, path: string, value: unknown): void {
  if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => { collect(leaves, `${path}[${nameOf(item) ?? String(index)}]`, isSetting(item) ? item.value : item); });
  } else if (value !== null && typeof value === 'object') {
    for (const [key, part] of Object.entries(value)) {
      collect(leaves, path === '' ? key : `${path}.${key}`, part);
    }
  } else if (value !== undefined) {
    leaves.set(path, JSON.stringify(value).replace(/^"(.*)"$/, '$1').slice(0, MAX_SHOWN));
  }
}

/** A variable or a label: a name with one value. */
function isSetting(item: unknown): item is { readonly name: string; readonly value: unknown } {
  return nameOf(item) !== undefined && Object.keys(item as object).toSorted().join(' ') === 'name value';
}

function nameOf(item: unknown): string | undefined {
  return item !== null && typeof item === 'object' && 'name' in item && typeof item.name === 'string' ? item.name : undefined;
}
