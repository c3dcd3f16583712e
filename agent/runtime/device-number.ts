/** Parts of st_rdev. Source: glibc, sys/sysmacros.h, gnu_dev_major and gnu_dev_minor */
export function deviceMajor(device: number): number {
  const low = Math.floor(device / 2 ** 8) % 2 ** 12;
  const high = Math.floor(device / 2 ** 44) % 2 ** 20;
  return high * 2 ** 12 + low;
}

export function deviceMinor(device: number): number {
  const low = device % 2 ** 8;
  const high = Math.floor(device / 2 ** 20) % 2 ** 24;
  return high * 2 ** 8 + low;
}
