/**
 * Messages of rtnetlink: what `ip` says to the kernel, without starting `ip`.
 *
 * Source: netlink(7), rtnetlink(7); include/uapi/linux/{netlink,rtnetlink,if_link,if_addr,veth}.h. Numbers are in the machine's byte order,
 * which is little-endian on every machine that Gantry runs on.
 */

/** One request; `what` names it in an error. */
export interface NetlinkRequest {
  readonly what: string;
  readonly type: number;
  /** Beside NLM_F_REQUEST and NLM_F_ACK. */
  readonly flags: number;
  readonly payload: Uint8Array;
  /** An errno that is no failure: what is to be so is so already. */
  readonly toleratedErrno?: number;
}

export interface NetlinkAnswer {
  readonly sequence: number;
  /** 0: done. */
  readonly errno: number;
}

const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLMSG_ERROR = 2;
const ALIGNMENT = 4;

/** All requests as one datagram, numbered from 1. */
export function encodeRequests(requests: readonly NetlinkRequest[]): Buffer {
  return Buffer.concat(requests.map(({ type, flags, payload }, index) => {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(HEADER_BYTES + payload.length, 0);
    header.writeUInt16LE(type, 4);
    header.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK | flags, 6);
    header.writeUInt32LE(index + 1, 8);
    return padded(Buffer.concat([header, payload]));
  }));
}

/** The acknowledgements in a datagram. Source: netlink(7), struct nlmsgerr */
export function decodeAnswers(datagram: Buffer): readonly NetlinkAnswer[] {
  const answers: NetlinkAnswer[] = [];
  for (let at = 0; at + HEADER_BYTES + 4 <= datagram.length;) {
    const lengthBytes = datagram.readUInt32LE(at);
    if (lengthBytes < HEADER_BYTES) {
      break;
    }
    if (datagram.readUInt16LE(at + 4) === NLMSG_ERROR) {
      answers.push({ sequence: datagram.readUInt32LE(at + 8), errno: Math.abs(datagram.readInt32LE(at + HEADER_BYTES)) });
    }
    at += Math.ceil(lengthBytes / ALIGNMENT) * ALIGNMENT;
  }
  return answers;
}

export function attribute(type: number, value: Uint8Array): Buffer {
  const header = Buffer.alloc(ATTRIBUTE_HEADER_BYTES);
  header.writeUInt16LE(ATTRIBUTE_HEADER_BYTES + value.length, 0);
  header.writeUInt16LE(type, 2);
  return padded(Buffer.concat([header, value]));
}

export function nested(type: number, ...attributes: readonly Uint8Array[]): Buffer {
  return attribute(type, Buffer.concat(attributes));
}

export function textAttribute(type: number, text: string): Buffer {
  return attribute(type, Buffer.from(`${text}\0`));
}

export function numberAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return attribute(type, bytes);
}

export function byteAttribute(type: number, value: number): Buffer {
  return attribute(type, Uint8Array.of(value));
}

export function addressAttribute(type: number, address: string): Buffer {
  return attribute(type, Uint8Array.from(address.split('.').map(Number)));
}

function padded(bytes: Buffer): Buffer {
  const missing = -bytes.length & (ALIGNMENT - 1);
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
