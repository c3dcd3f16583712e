/** What services that wait or stand somewhere keep others from. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { serviceId } from '#model/ids.ts';
import type { NodeId, ServiceId } from '#model/ids.ts';

/** `avoid`: where its tasks are is not for service `against`. `room`: on the node room is made for one of its tasks, against all of less priority. */
export type Claim =
  | { readonly kind: 'avoid'; readonly by: ServiceId; readonly against: ServiceId; readonly label: string }
  | { readonly kind: 'room'; readonly by: Service; readonly slot: number; readonly node: NodeId };

/** The service that `name` means in a manifest of `service`: of the same App, or `APP/NAME` of the same namespace. */
export function targetOf({ namespace, app }: Pick<Service, 'namespace' | 'app'>, name: string): ServiceId {
  const [last = '', first] = name.split('/').toReversed();
  return serviceId(namespace, first ?? app, last);
}

export function claimsBy({ services, serviceStatuses }: ClusterSnapshot, id: ServiceId): readonly Claim[] {
  const service = services.get(id)?.value;
  if (service === undefined) {
    return [];
  }
  const avoided = service.spec.placement.avoid.filter(one => one.weight === undefined);
  const pending = serviceStatuses.get(id)?.value.pending ?? [];
  return [
    ...avoided.map((one): Claim => ({ kind: 'avoid', by: id, against: targetOf(service, one.service), label: one.label })),
    ...pending.flatMap(({ slot, node }): readonly Claim[] => (node === undefined ? [] : [{ kind: 'room', by: service, slot, node }])),
  ];
}
