/** Docker's way out of an attached task: ctrl-p, ctrl-q. */
const CTRL_P = 0x10;
const CTRL_Q = 0x11;

export interface DetachState {
  /** A ctrl-p is held back until the next byte tells what it meant. */
  readonly isHolding: boolean;
}

export const DETACH_START: DetachState = { isHolding: false };

export interface DetachStep {
  readonly state: DetachState;
  /** What goes to the task. */
  readonly pass: Uint8Array;
  readonly isDetached: boolean;
}

/** Follows the keys through one chunk of input; the sequence may be split over chunks. Bytes after it are dropped. */
export function followDetachKeys(state: DetachState, chunk: Uint8Array): DetachStep {
  const pass: number[] = [];
  let isHolding = state.isHolding;
  for (const byte of chunk) {
    if (isHolding && byte === CTRL_Q) {
      return { state: DETACH_START, pass: Uint8Array.from(pass), isDetached: true };
    }
    if (isHolding) {
      pass.push(CTRL_P);
    }
    isHolding = byte === CTRL_P;
    if (!isHolding) {
      pass.push(byte);
    }
  }
  return { state: { isHolding }, pass: Uint8Array.from(pass), isDetached: false };
}
