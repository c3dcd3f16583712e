/** Ids of containers, checked before any runtime sees them: `crun delete -f ..` removes everything beside its root. */
const CONTAINER_ID = /^[a-z0-9][a-z0-9-]{0,62}$/;

export function isContainerId(text: string): boolean {
  return CONTAINER_ID.test(text);
}

/** @throws RangeError for anything but 1 to 63 of `a-z 0-9 -`, not starting with `-` */
export function requireContainerId(text: string): string {
  if (!isContainerId(text)) {
    throw new RangeError(`container id ${JSON.stringify(text)} does not match ${CONTAINER_ID.source}`);
  }
  return text;
}
