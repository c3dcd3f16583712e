/** How one call to a service ended, or that a long one began, for whoever keeps an account of calls. */
export interface CallEnd {
  /** `ControlApi.Scale`. */
  readonly rpc: string;
  /** `operator alice`, from the certificate; empty where it names nobody. */
  readonly caller: string;
  /** Remote address without the port. */
  readonly address: string;
  /** The message as it was read; of a tunnel what it is for. Undefined where the call was refused before. */
  readonly request: unknown;
  /** Undefined when it was answered. */
  readonly error: unknown;
  /** A stream in both directions whose purpose was just read: its end is told later. Absent: this is the end. */
  readonly isBegun?: true;
}
