import type { TlsIdentity } from './tls-fs.ts';

/** The identity that a program uses now; whoever serves or dials with it is told when it is renewed. */
export class IdentityHolder {
  #current: TlsIdentity;
  readonly #listeners: ((identity: TlsIdentity) => void)[] = [];

  constructor(identity: TlsIdentity) {
    this.#current = identity;
  }

  get current(): TlsIdentity {
    return this.#current;
  }

  /** `listener` hears of every later identity. */
  onRenewed(listener: (identity: TlsIdentity) => void): void {
    this.#listeners.push(listener);
  }

  renew(identity: TlsIdentity): void {
    this.#current = identity;
    this.#listeners.forEach(listener => { listener(identity); });
  }
}
