/** What one controller asks of the others about endpoints. Never throws: a controller that does not answer counts as reached after the time. */
export interface PeerEndpoints {
  /** Resolves with true when every session of every other controller that answers acknowledged endpoints of at least `generation`, or with false after `timeoutMs`. */
  awaitAtPeers(generation: number, timeoutMs: number): Promise<boolean>;
}
