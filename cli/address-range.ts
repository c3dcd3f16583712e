/** True when the two IPv4 networks `a.b.c.d/n` share an address. */
export function overlaps(left: string, right: string): boolean {
  const [leftAddress, leftBits] = parse(left);
  const [rightAddress, rightBits] = parse(right);
  const size = 2 ** (32 - Math.min(leftBits, rightBits));
  return Math.floor(leftAddress / size) === Math.floor(rightAddress / size);
}

function parse(network: string): readonly [number, number] {
  const [address = '', bits = '32'] = network.split('/');
  return [address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0), Number(bits)];
}
