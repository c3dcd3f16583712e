/** Namespaces that containers of one attempt have together: `security.pid: sidecar:NAME` and the like. */
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { SIDECAR_NAMESPACES } from '#model/service.ts';
import type { SidecarNamespace } from '#model/service.ts';
import type { TaskRecord } from './record.ts';

/** By kind, the process whose namespace a container joins. */
export type JoinedNamespaces = Readonly<Partial<Record<SidecarNamespace, ProcessIdentity>>>;

/** A container of the attempt, and whose namespace of one kind it is in: a sidecar's name, its own for that sidecar itself. */
interface Member {
  readonly index: number | undefined;
  readonly owner: string;
  readonly process: ProcessIdentity | undefined;
}

/**
 * Whom the container that is about to start joins (`index` of a companion; undefined: the main one): the sidecar it names, or, when that one
 * runs no more or is itself the one that starts anew, any other container that is still in the namespace. Kinds with nobody to join are left out:
 * the named sidecar makes a namespace of its own.
 *
 * @throws RangeError for a container that names a sidecar which does not run, while nobody else is in the namespace
 */
export function joinedNamespaces(record: TaskRecord, index: number | undefined): JoinedNamespaces {
  return Object.fromEntries(SIDECAR_NAMESPACES.flatMap(kind => {
    const members = membersOf(record, kind);
    const own = members.find(member => member.index === index);
    const others = members.filter(member => member.index !== index && member.owner === own?.owner);
    const host = others.find(member => member.process !== undefined)?.process;
    if (host === undefined && own !== undefined && nameOf(record, index) !== own.owner) {
      throw new RangeError(`security.${kind}: sidecar ${own.owner} does not run, so that its namespace cannot be joined`);
    }
    return host === undefined ? [] : [[kind, host]];
  }));
}

/** Sidecars first, as they start. */
function membersOf(record: TaskRecord, kind: SidecarNamespace): readonly Member[] {
  const { task, companions = [] } = record;
  const beside = (task.companions ?? []).map((spec, index): Member & { readonly isNamed: boolean } => ({
    index, ...ownerOf(spec.container.security, kind, spec.name), process: companions[index]?.step === 'running' ? companions[index].container?.container : undefined,
  }));
  const main = { index: undefined, ...ownerOf(task.container.security, kind, ''), process: record.step === 'running' ? record.container?.container : undefined };
  const all = [...beside, main];
  const shared = new Set(all.filter(member => member.isNamed).map(member => member.owner));
  return all.filter(member => shared.has(member.owner));
}

function ownerOf({ sidecarNamespaces = [] }: TaskRecord['task']['container']['security'], kind: SidecarNamespace, name: string): { readonly owner: string; readonly isNamed: boolean } {
  const joined = sidecarNamespaces.find(one => one.namespace === kind);
  return { owner: joined?.sidecar ?? name, isNamed: joined !== undefined };
}

function nameOf({ task }: TaskRecord, index: number | undefined): string {
  return index === undefined ? '' : task.companions?.[index]?.name ?? '';
}
