import { foldEndpoints } from '#model/endpoint-change.ts';
import type { EndpointChange } from '#model/endpoint-change.ts';
import type { EndpointSet } from '#model/endpoints.ts';

/** What the agent does with a message about endpoints: bring a set into force, ask for the whole set, or nothing. */
export type EndpointsNews = { readonly kind: 'set'; readonly set: EndpointSet } | { readonly kind: 'gap' } | { readonly kind: 'nothing' };

const NOTHING = { kind: 'nothing' } as const;

/** The endpoints as one session told them: a whole set, then changes that follow each other. What does not follow is never put in; the whole set is asked for once. */
export class SessionEndpoints {
  #held: EndpointSet | undefined;
  #isAsking = false;

  takeSet(set: EndpointSet): EndpointsNews {
    if (this.#held !== undefined && set.generation < this.#held.generation) {
      return NOTHING;
    }
    this.#isAsking = false;
    return this.#hold(set);
  }

  takeChange(change: EndpointChange): EndpointsNews {
    if (this.#isAsking) {
      return NOTHING;
    }
    const next = this.#held === undefined ? undefined : foldEndpoints(this.#held, change);
    if (next !== undefined) {
      return this.#hold(next);
    }
    this.#held = undefined;
    this.#isAsking = true;
    return { kind: 'gap' };
  }

  #hold(set: EndpointSet): EndpointsNews {
    this.#held = set;
    return { kind: 'set', set };
  }
}
