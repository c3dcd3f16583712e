/** Services that must be near each other: of a circle none could be placed first. */
import type { AppSpec } from './app.ts';
import type { Violation } from './errors.ts';
import type { ServiceSpec } from './service.ts';

/** What has to be there before a service, by names of one kind. */
export type Needs = (name: string) => readonly string[];

/** The way from `from` back to itself that begins with `first`, the shortest; undefined: there is none. */
export function circleOf(from: string, first: string, needs: Needs): readonly string[] | undefined {
  const ways = new Map<string, readonly string[]>([[first, [from, first]]]);
  for (const [name, way] of ways) {
    if (name === from) {
      return way;
    }
    for (const next of needs(name)) {
      if (!ways.has(next)) {
        ways.set(next, [...way, next]);
      }
    }
  }
  return undefined;
}

export function describeCircle(circle: readonly string[]): string {
  return `cycle: ${circle.join(' -> ')}; each must be near or after the next, so none could be placed first; give one of them a weight, which makes it a wish`;
}

/** One complaint a circle, at its first service by name. What it depends on counts too: that also has to be there before. */
export function checkAffinityCircles(app: AppSpec): readonly Violation[] {
  const byName = new Map(app.services.map(service => [service.name, service]));
  const needs: Needs = name => {
    const service = byName.get(name);
    return service === undefined ? [] : [...nearOf(service, app), ...service.dependsOn.map(one => one.service)];
  };
  const told = new Set<string>();
  return [...byName.keys()].sort().flatMap(name => nearOf(byName.get(name), app).flatMap(target => {
    const circle = target === name ? undefined : circleOf(name, target, needs);
    const key = circle === undefined ? '' : [...new Set(circle)].sort().join(' ');
    if (circle === undefined || told.has(key)) {
      return [];
    }
    told.add(key);
    const index = byName.get(name)?.placement.affinity.findIndex(one => ownName(one.service, app) === target && one.weight === undefined) ?? 0;
    return [{ path: `services.${name}.placement.affinity[${String(index)}]`, message: describeCircle(circle) }];
  }));
}

/** Services of the same App that it must be near. */
function nearOf(service: ServiceSpec | undefined, app: AppSpec): readonly string[] {
  return (service?.placement.affinity ?? []).filter(one => one.weight === undefined).flatMap(one => ownName(one.service, app) ?? []);
}

/** `NAME` or `APP/NAME` as a name of this App; undefined: of another. */
function ownName(text: string, app: AppSpec): string | undefined {
  const [name = '', of] = text.split('/').toReversed();
  return of === undefined || of === app.name ? name : undefined;
}
