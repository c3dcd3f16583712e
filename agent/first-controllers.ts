/** Which controllers an agent dials until the cluster names them. */

export interface KnownControllers {
  /** `--controllers`: APIs, or the join listeners that the agent joined at. */
  readonly given: readonly string[];
  /** The answer of a join with `--join`; absent where another program joined for the agent. */
  readonly joined?: { readonly controllers: readonly string[]; readonly joinAddress: string };
  /** As of the last registration. */
  readonly registered?: { readonly controllers: readonly string[]; readonly joinAddresses?: readonly string[] };
}

/**
 * Those given, without known join listeners: no session opens there. The cluster's own answer comes
 * first after a join with `--join`, and alone where nothing else is given.
 */
export function firstControllers({ given, joined, registered }: KnownControllers): readonly string[] {
  const listeners = new Set([...(joined === undefined ? [] : [joined.joinAddress]), ...(registered?.joinAddresses ?? [])]);
  const dialed = given.filter(address => !listeners.has(address));
  const named = registered?.controllers ?? joined?.controllers ?? [];
  if (joined === undefined && dialed.length > 0) {
    return dialed;
  }
  const all = [...new Set([...named, ...dialed])];
  return all.length > 0 ? all : given;
}
