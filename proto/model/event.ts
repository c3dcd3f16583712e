/** One thing that happened to an object, aggregated by (object, reason). */
export interface ClusterEvent {
  readonly type: 'normal' | 'warning';
  /** `task/ID`, `service/NS/APP/SVC`, `node/N`, `app/NS/APP`. */
  readonly object: string;
  readonly reason: string;
  readonly message: string;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly count: number;
}
