import { expect, it } from '@jest/globals'
import { plain, tellEverywhere } from './testing/pools-in-states.ts'
import { CRASH } from './testing/sample-events.ts'

const STOPPED = { kind: 'stopped', message: 'It ended cleanly.', isRetriable: true } as const

/** What becomes of a pool in each state; in those that are not named it changes nothing. */
const EXPECTED: readonly (readonly [string, object, string])[] = [
  [
    'launched',
    { kind: 'launched' },
    `
      preparing:
        starting startedAt=10000 progressAt=10000
        "the engine process runs", life 30000, load 600000, probe
      stopping, restarting:
        -
        signal SIGTERM, kill 10000, await_gone
    `,
  ],
  [
    'launch_failed',
    { kind: 'launch_failed', report: CRASH },
    `
      preparing:
        backoff delayMs=1000 report=signal
        lastError=It was ended by SIGSEGV. See: berth pools logs a
        "It was ended by SIGSEGV.", backoff 1000, instance_ended signal 1000
      stopping:
        stopped
        "stop was asked for"
      restarting:
        preparing (new)
        history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "restart was asked for", launch
    `,
  ],
  [
    'output',
    { kind: 'output' },
    `
      starting, loading:
        starting startedAt=0 hasSignOfLife progressAt=10000
    `,
  ],
  [
    'a healthy check',
    { kind: 'probed', result: { verdict: 'healthy' }, isListening: true, isIdle: true },
    `
      starting, loading:
        ready readyAt=10000
        "probes pass", probe 5000, watch 5000, settle 60000, stable 300000
      ready, held, drained to stop, drained to restart, drained to reload:
        -
        probe 5000
      shaky:
        ready readyAt=0
        probe 5000
    `,
  ],
  [
    'a slow check, under load',
    { kind: 'probed', result: { verdict: 'degraded' }, isListening: true, isIdle: false },
    `
      starting, loading:
        ready readyAt=10000 isDegraded
        "probes pass", probe 5000, watch 5000, settle 60000, stable 300000
      ready, shaky:
        ready readyAt=0 isDegraded
        probe 5000
      held:
        draining goal=hold onDeadline=force readyAt=0 isDegraded
        probe 5000
      drained to stop:
        draining goal=stop onDeadline=force readyAt=0 isDegraded
        probe 5000
      drained to restart:
        draining goal=restart onDeadline=force readyAt=0 isDegraded
        probe 5000
      drained to reload:
        draining goal=reload onDeadline=force readyAt=0 isDegraded
        probe 5000
    `,
  ],
  [
    'a check without an answer',
    {
      kind: 'probed',
      result: { verdict: 'unknown', fact: '/health timed out' },
      isListening: false,
      isIdle: true,
    },
    `
      starting, loading:
        -
        probe 250
      ready:
        ready readyAt=0 failures=1
        lastError=/health timed out
        probe 5000
      shaky:
        crashed report=unhealthy
        lastError=3 health checks in a row failed. Last: /health timed out. See: berth pools
          history a, berth pools logs a
        "3 health checks in a row failed. Last: /health timed out.", abort_requests, signal
          SIGTERM, kill 10000, await_gone
      held:
        draining goal=hold onDeadline=force readyAt=0 failures=1
        lastError=/health timed out
        probe 5000
      drained to stop:
        draining goal=stop onDeadline=force readyAt=0 failures=1
        lastError=/health timed out
        probe 5000
      drained to restart:
        draining goal=restart onDeadline=force readyAt=0 failures=1
        lastError=/health timed out
        probe 5000
      drained to reload:
        draining goal=reload onDeadline=force readyAt=0 failures=1
        lastError=/health timed out
        probe 5000
    `,
  ],
  [
    'a check that says it loads',
    {
      kind: 'probed',
      result: { verdict: 'loading', fact: '/health timed out' },
      isListening: true,
      isIdle: true,
    },
    `
      starting:
        starting startedAt=0 hasSignOfLife progressAt=0
        probe 250
      loading:
        -
        probe 250
      ready:
        ready readyAt=0 failures=1
        lastError=/health timed out
        probe 5000
      shaky:
        crashed report=unhealthy
        lastError=3 health checks in a row failed. Last: /health timed out. See: berth pools
          history a, berth pools logs a
        "3 health checks in a row failed. Last: /health timed out.", abort_requests, signal
          SIGTERM, kill 10000, await_gone
      held:
        draining goal=hold onDeadline=force readyAt=0 failures=1
        lastError=/health timed out
        probe 5000
      drained to stop:
        draining goal=stop onDeadline=force readyAt=0 failures=1
        lastError=/health timed out
        probe 5000
      drained to restart:
        draining goal=restart onDeadline=force readyAt=0 failures=1
        lastError=/health timed out
        probe 5000
      drained to reload:
        draining goal=reload onDeadline=force readyAt=0 failures=1
        lastError=/health timed out
        probe 5000
    `,
  ],
  [
    'the end by a signal',
    { kind: 'exited', report: CRASH, exit: { code: null, signal: 'SIGSEGV' } },
    `
      starting, loading, ready, shaky, held:
        crashed report=signal exit={code=null signal=SIGSEGV}
        lastError=It was ended by SIGSEGV. See: berth pools logs a
        "It was ended by SIGSEGV.", abort_requests, signal SIGKILL, kill 5000, await_gone
      drained to stop:
        stopping goal=stop
        "It was ended by SIGSEGV.", abort_requests, signal SIGKILL, kill 10000, await_gone
      drained to restart:
        stopping goal=restart
        "It was ended by SIGSEGV.", abort_requests, signal SIGKILL, kill 10000, await_gone
      drained to reload:
        crashed report=signal exit={code=null signal=SIGSEGV}
        lastError=It was ended by SIGSEGV. See: berth pools logs a, reload={phase=switch to=b
          from= wasWanted=true}
        "It was ended by SIGSEGV.", abort_requests, signal SIGKILL, kill 5000, await_gone
      crashed:
        crashed report=signal exit={code=null signal=SIGSEGV}
    `,
  ],
  [
    'the end with 0',
    { kind: 'exited', report: STOPPED, exit: { code: 0, signal: null } },
    `
      starting, loading, ready, shaky, held:
        stopping goal=stop
        isWanted=false
        "It ended cleanly.", abort_requests, signal SIGKILL, kill 10000, await_gone
      drained to stop:
        stopping goal=stop
        "It ended cleanly.", abort_requests, signal SIGKILL, kill 10000, await_gone
      drained to restart:
        stopping goal=restart
        "It ended cleanly.", abort_requests, signal SIGKILL, kill 10000, await_gone
      drained to reload:
        crashed report=stopped exit={code=0 signal=null}
        lastError=It ended cleanly. See: berth pools logs a, reload={phase=switch to=b from=
          wasWanted=true}
        "It ended cleanly.", abort_requests, signal SIGKILL, kill 5000, await_gone
      crashed:
        crashed report=signal exit={code=0 signal=null}
    `,
  ],
  [
    'gone',
    { kind: 'gone' },
    `
      stopping:
        stopped
        "stop was asked for"
      restarting:
        preparing (new)
        history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "restart was asked for", launch
      crashed:
        backoff delayMs=1000 report=signal
        "It was ended by SIGSEGV.", backoff 1000, instance_ended signal 1000
    `,
  ],
  [
    'idle',
    { kind: 'idle' },
    `
      drained to stop:
        stopping goal=stop
        "stop was asked for", signal SIGTERM, kill 10000, await_gone
      drained to restart:
        stopping goal=restart
        "restart was asked for", signal SIGTERM, kill 10000, await_gone
      drained to reload:
        draining goal=reload onDeadline=force readyAt=0
        reload={phase=stage to=b from= wasWanted=true}
        "idle; b is being staged", probe 5000, watch 5000, settle 50000, stable 290000, stage
          b
    `,
  ],
  [
    'a look at an engine without work',
    { kind: 'observed', isBusy: false, progress: '1' },
    `
      ready, shaky, held, drained to stop, drained to restart, drained to reload:
        -
        watch 5000
    `,
  ],
  [
    'a look at a busy engine',
    { kind: 'observed', isBusy: true, progress: '1' },
    `
      ready:
        ready readyAt=0 stall={progress=1 since=10000}
        watch 5000
      shaky:
        ready readyAt=0 failures=2 stall={progress=1 since=10000}
        watch 5000
      held:
        draining goal=hold onDeadline=force readyAt=0 stall={progress=1 since=10000}
        watch 5000
      drained to stop:
        draining goal=stop onDeadline=force readyAt=0 stall={progress=1 since=10000}
        watch 5000
      drained to restart:
        draining goal=restart onDeadline=force readyAt=0 stall={progress=1 since=10000}
        watch 5000
      drained to reload:
        draining goal=reload onDeadline=force readyAt=0 stall={progress=1 since=10000}
        watch 5000
    `,
  ],
  ['what another instance says', { kind: 'exited', instanceId: 'other', report: CRASH }, ``],
]

it.each(EXPECTED)('an instance tells: %s', (_what, event, expected) => {
  expect(tellEverywhere(event)).toBe(plain(expected))
})
