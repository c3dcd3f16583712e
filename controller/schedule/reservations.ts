/** Room that is being made for a slot of one service is not for others of the same or less priority. */
import type { Service } from '#model/app.ts';
import type { NodeId, ServiceId } from '#model/ids.ts';
import type { DeviceUnits } from '#model/task.ts';
import type { Claim } from './claims.ts';
import type { NodeTable } from './node-table.ts';

type RoomClaim = Extract<Claim, { readonly kind: 'room' }>;

/** Counts claims of room in and out of the table, as services take their turns. */
export class Reservations {
  readonly #table: NodeTable;
  readonly #claims: readonly RoomClaim[];
  readonly #held = new Map<RoomClaim, { readonly row: number; readonly units: readonly DeviceUnits[] }>();

  constructor(table: NodeTable) {
    this.#table = table;
    this.#claims = table.claims.filter(claim => claim.kind === 'room');
  }

  turnTo({ id, spec }: Service): void {
    for (const claim of this.#claims) {
      const row = this.#table.rowOf(claim.node);
      if (row !== undefined) {
        this.#hold(claim, row, isAgainst(claim, id, spec.placement.priority));
      }
    }
  }

  #hold(claim: RoomClaim, row: number, isWished: boolean): void {
    const held = this.#held.get(claim);
    if (isWished && held === undefined) {
      this.#held.set(claim, { row, units: this.#table.take(row, claim.by.spec) });
    } else if (!isWished && held !== undefined) {
      this.#table.give(row, claim.by.spec, held.units);
      this.#held.delete(claim);
    }
  }
}

/** The service of the highest priority for which room is being made on the node that is not for `service`. */
export function roomHeldAgainst(table: NodeTable, { id, spec }: Service, node: NodeId): Service | undefined {
  const held = table.claims.flatMap(claim => (claim.kind === 'room' && claim.node === node && isAgainst(claim, id, spec.placement.priority) ? [claim.by] : []));
  return held.toSorted((left, right) => right.spec.placement.priority - left.spec.placement.priority)[0];
}

function isAgainst({ by }: RoomClaim, service: ServiceId, priority: number): boolean {
  return by.id !== service && by.spec.placement.priority >= priority;
}
