import { expect, it } from '@jest/globals'
import { plain, tellEverywhere } from './testing/pools-in-states.ts'

/** What becomes of a pool in each state; in those that are not named it changes nothing. */
const EXPECTED: readonly (readonly [string, object, string])[] = [
  [
    'life',
    { kind: 'timer', name: 'life' },
    `
      starting:
        crashed report=start_timeout
        lastError=No line of output and no open port within 30 s of the start. Look at its
          log, or raise lifecycle.start_timeout_s. See: berth pools logs a
        "No line of output and no open port within 30 s of the start. Look at its log, or
          raise lifecycle.start_timeout_s.", abort_requests, signal SIGTERM, kill 10000,
          await_gone
    `,
  ],
  [
    'load',
    { kind: 'timer', name: 'load' },
    `
      starting, loading:
        -
        load 590000
    `,
  ],
  [
    'probe',
    { kind: 'timer', name: 'probe' },
    `
      starting, loading, ready, shaky, held, drained to stop, drained to restart, drained to reload:
        -
        probe
    `,
  ],
  [
    'watch',
    { kind: 'timer', name: 'watch' },
    `
      ready, shaky, held, drained to stop, drained to restart, drained to reload:
        -
        observe
    `,
  ],
  [
    'kill',
    { kind: 'timer', name: 'kill' },
    `
      stopping:
        stopping goal=stop kills=1
        signal SIGKILL, kill 5000
      restarting:
        stopping goal=restart kills=1
        signal SIGKILL, kill 5000
      crashed:
        crashed report=signal kills=1
        signal SIGKILL, kill 5000
    `,
  ],
  [
    'backoff',
    { kind: 'timer', name: 'backoff' },
    `
      backoff:
        preparing (new)
        history={restarts=[10000] attempts=1 total=1 lastStartAt=10000 openings=0}
        "restarting after a crash", launch
    `,
  ],
  [
    'reopen',
    { kind: 'timer', name: 'reopen' },
    `
      failed:
        preparing (new)
        history={restarts=[10000] attempts=1 total=1 lastStartAt=10000 openings=0}
        "one trial of the open breaker", launch
    `,
  ],
  [
    'drain',
    { kind: 'timer', name: 'drain' },
    `
      held:
        -
        abort_requests
      drained to stop:
        stopping goal=stop
        abort_requests, "stop was asked for", signal SIGTERM, kill 10000, await_gone
      drained to restart:
        stopping goal=restart
        abort_requests, "restart was asked for", signal SIGTERM, kill 10000, await_gone
      drained to reload:
        draining goal=reload onDeadline=force readyAt=0
        reload={phase=stage to=b from= wasWanted=true}
        abort_requests, "idle; b is being staged", probe 5000, watch 5000, settle 50000,
          stable 290000, stage b
    `,
  ],
  ['settle', { kind: 'timer', name: 'settle' }, ``],
  ['stable', { kind: 'timer', name: 'stable' }, ``],
]

it.each(EXPECTED)('a timer of a pool is due: %s', (_what, event, expected) => {
  expect(tellEverywhere(event)).toBe(plain(expected))
})
