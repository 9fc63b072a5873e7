import { expect, it } from '@jest/globals'
import { plain, tellEverywhere } from './testing/pools-in-states.ts'
import { CRASH } from './testing/sample-events.ts'

/** What becomes of a pool in each state; in those that are not named it changes nothing. */
const EXPECTED: readonly (readonly [string, object, string])[] = [
  [
    'start',
    { kind: 'start' },
    `
      stopped, stopping:
        preparing (new)
        isWanted=true, history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "start was asked for", launch
      drained to stop:
        ready readyAt=0
        isWanted=true
        "start was asked for", probe 5000, settle 50000, stable 290000
      backoff, failed:
        preparing (new)
        history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "start was asked for", launch
    `,
  ],
  [
    'stop',
    { kind: 'stop', drainMs: 0 },
    `
      preparing, restarting:
        stopping goal=stop
        isWanted=false
        "stop was asked for"
      starting, loading, backoff, failed:
        stopped
        isWanted=false
        "stop was asked for"
      ready, shaky, held, drained to restart, drained to reload:
        stopped
        isWanted=false
        abort_requests, "stop was asked for"
      drained to stop:
        stopped
        abort_requests, "stop was asked for"
      crashed:
        crashed report=signal
        isWanted=false
    `,
  ],
  [
    'stop, after a drain',
    { kind: 'stop', drainMs: 5_000 },
    `
      preparing, restarting:
        stopping goal=stop
        isWanted=false
        "stop was asked for"
      starting, loading, backoff, failed:
        stopped
        isWanted=false
        "stop was asked for"
      ready, held, drained to restart, drained to reload:
        draining goal=stop onDeadline=force readyAt=0
        isWanted=false
        "stop was asked for", probe 5000, settle 50000, stable 290000, drain 5000, await_idle
      shaky:
        draining goal=stop onDeadline=force readyAt=0 failures=2
        isWanted=false
        "stop was asked for", probe 5000, settle 50000, stable 290000, drain 5000, await_idle
      drained to stop:
        -
        "stop was asked for", probe 5000, settle 50000, stable 290000, drain 5000, await_idle
      crashed:
        crashed report=signal
        isWanted=false
    `,
  ],
  [
    'restart',
    { kind: 'restart', drainMs: 0 },
    `
      stopped, stopping:
        preparing (new)
        isWanted=true, history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "start was asked for", launch
      preparing, restarting:
        stopping goal=restart
        "restart was asked for"
      starting, loading:
        preparing (new)
        history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "restart was asked for", launch
      ready, shaky, held, drained to restart, drained to reload:
        preparing (new)
        history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        abort_requests, "restart was asked for", launch
      drained to stop:
        preparing (new)
        isWanted=true, history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        abort_requests, "restart was asked for", launch
      backoff, failed:
        preparing (new)
        history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        "start was asked for", launch
    `,
  ],
  ['reload', { kind: 'reload', model: 'b', deadlineMs: 5_000, onDeadline: 'force' }, ``],
  [
    'device_fault',
    { kind: 'device_fault', message: 'Lost.' },
    `
      stopped, stopping:
        stopped
        lastError=Lost., deviceFault=Lost.
      preparing, restarting:
        preparing
        lastError=Lost., deviceFault=Lost.
      starting:
        starting startedAt=0 progressAt=0
        lastError=Lost., deviceFault=Lost.
      loading:
        starting startedAt=0 hasSignOfLife progressAt=0
        lastError=Lost., deviceFault=Lost.
      ready, drained to reload:
        draining readyAt=0 goal=hold onDeadline=force
        lastError=Lost., deviceFault=Lost.
        "Lost.", probe 5000, settle 50000, stable 290000
      shaky:
        draining readyAt=0 failures=2 goal=hold onDeadline=force
        lastError=Lost., deviceFault=Lost.
        "Lost.", probe 5000, settle 50000, stable 290000
      held:
        draining goal=hold onDeadline=force readyAt=0
        lastError=Lost., deviceFault=Lost.
      drained to stop:
        draining goal=stop onDeadline=force readyAt=0
        lastError=Lost., deviceFault=Lost.
      drained to restart:
        draining goal=restart onDeadline=force readyAt=0
        lastError=Lost., deviceFault=Lost.
      crashed:
        crashed report=signal
        lastError=Lost., deviceFault=Lost.
      backoff:
        backoff delayMs=2000 report=signal
        lastError=Lost., deviceFault=Lost.
      failed:
        failed reason=config message=Unknown flag.
        lastError=Lost., deviceFault=Lost.
    `,
  ],
  [
    'launched',
    { kind: 'launched' },
    `
      preparing, restarting:
        starting startedAt=10000 progressAt=10000
        "waiting for the server to answer", probe
    `,
  ],
  [
    'launch_failed',
    { kind: 'launch_failed', report: CRASH },
    `
      preparing, restarting:
        backoff delayMs=1000 report=signal
        lastError=It was ended by SIGSEGV. See: berth pools logs a
        "It was ended by SIGSEGV.", backoff 1000, instance_ended signal 1000
    `,
  ],
  [
    'a healthy check',
    { kind: 'probed', result: { verdict: 'healthy' }, isListening: true, isIdle: true },
    `
      starting, loading:
        ready readyAt=10000
        "probes pass", probe 5000, settle 60000, stable 300000
      ready, held, drained to stop, drained to restart, drained to reload:
        -
        probe 5000
      shaky:
        ready readyAt=0
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
      starting:
        starting startedAt=0 progressAt=0
        lastError=/health timed out
        probe 5000
      loading:
        starting startedAt=0 hasSignOfLife progressAt=0
        lastError=/health timed out
        probe 5000
      ready, drained to reload:
        ready readyAt=0 failures=1
        lastError=/health timed out
        probe 5000
      shaky:
        starting startedAt=10000 progressAt=10000
        lastError=/health timed out
        "3 health checks in a row failed. Last: /health timed out.", probe 5000
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
    `,
  ],
  [
    'gone',
    { kind: 'gone' },
    `
      crashed:
        backoff delayMs=1000 report=signal
        "It was ended by SIGSEGV.", backoff 1000, instance_ended signal 1000
    `,
  ],
  ['a look at an engine without work', { kind: 'observed', isBusy: false, progress: '1' }, ``],
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
    'drain',
    { kind: 'timer', name: 'drain' },
    `
      held:
        -
        abort_requests
      drained to stop:
        stopped
        abort_requests, "stop was asked for"
      drained to restart:
        preparing (new)
        history={restarts=[] attempts=0 total=0 lastStartAt=10000 openings=0}
        abort_requests, "restart was asked for", launch
    `,
  ],
]

it.each(EXPECTED)('a server that is watched, not run: %s', (_what, event, expected) => {
  expect(tellEverywhere(event, { hasProcess: false })).toBe(plain(expected))
})
