/** True when both are the same as JSON: in whatever order their fields are, and where a field that is undefined is none. Of values that JSON can hold. */
export function isSameJson(left: unknown, right: unknown): boolean {
  if (left === right) {
    return true;
  }
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    return false;
  }
  if (Array.isArray(left) || Array.isArray(right)) {
    return Array.isArray(left) && Array.isArray(right) && left.length === right.length && left.every((item, index) => isSameJson(item, right[index]));
  }
  return hasSameFields(left as Fields, right as Fields);
}

type Fields = Readonly<Record<string, unknown>>;

function hasSameFields(left: Fields, right: Fields): boolean {
  for (const name in left) {
    if (!isSameJson(left[name], ownOf(right, name))) return false;
  }
  for (const name in right) {
    if (right[name] !== undefined && ownOf(left, name) === undefined) return false;
  }
  return true;
}

/** Not what every object has. */
function ownOf(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}
