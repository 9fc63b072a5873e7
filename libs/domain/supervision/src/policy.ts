/** Numbers of the restart policy. Defaults: design of the agent, 3 (Supervision). */
export interface RestartPolicy {
  readonly backoff: {
    readonly initialMs: number
    readonly factor: number
    readonly maxMs: number
    /** 0.1 spreads each delay over ±10 %. */
    readonly jitter: number
  }
  /** A device that failed needs longer to recover: the backoff is so many times as long. */
  readonly deviceErrorFactor: number
  /** Automatic restarts in `windowMs` before the breaker opens. */
  readonly intensity: number
  readonly windowMs: number
  readonly minBetweenStartsMs: number
  /** Ready for this long forgets the backoff. */
  readonly stableMs: number
  /** How long the breaker stays open before one trial; doubles each time the trial fails. */
  readonly breakerOpenMs: number
  readonly breakerMaxOpenMs: number
  /** Ready for this long after a trial closes the breaker. */
  readonly breakerStableMs: number
}

/** Numbers one pool is supervised by. */
export interface SupervisionPolicy {
  /** False for a server that we only watch: it is never signalled, restarted or timed out. */
  readonly hasProcess: boolean
  /** To the first sign of life: a line of output or an open port. */
  readonly startTimeoutMs: number
  /**
   * To ready, counted anew from each line of output; ten times this, counted from where the load
   * last came further, is the end in any case.
   */
  readonly loadTimeoutMs: number
  /** Starts in a row that may end in a timeout before the pool is given up. */
  readonly loadMaxRetries: number
  readonly startProbeIntervalMs: number
  readonly probeIntervalMs: number
  /** The same while no request is in flight. */
  readonly idleProbeIntervalMs: number
  /** Missed probes in a row that make a ready pool unready. */
  readonly maxConsecutiveFailures: number
  /** Stay ready, marked degraded, when probes fail (development). */
  readonly isFailOpen: boolean
  /** Requests wait and the engine does nothing for so long: it hangs, whatever its probes say. */
  readonly stallTimeoutMs: number
  /** From SIGTERM to SIGKILL. */
  readonly stopGraceMs: number
  readonly restart: RestartPolicy
}

/** The defaults of the agent's design, section 3. */
export const DEFAULT_POLICY: SupervisionPolicy = {
  hasProcess: true,
  startTimeoutMs: 30_000,
  loadTimeoutMs: 600_000,
  loadMaxRetries: 2,
  startProbeIntervalMs: 250,
  probeIntervalMs: 5_000,
  idleProbeIntervalMs: 60_000,
  maxConsecutiveFailures: 3,
  isFailOpen: false,
  stallTimeoutMs: 60_000,
  stopGraceMs: 10_000,
  restart: {
    backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0.1 },
    deviceErrorFactor: 2,
    intensity: 3,
    windowMs: 60_000,
    minBetweenStartsMs: 2_000,
    stableMs: 300_000,
    breakerOpenMs: 300_000,
    breakerMaxOpenMs: 3_600_000,
    breakerStableMs: 60_000,
  },
}
