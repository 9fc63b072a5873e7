import { writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { z } from 'zod'
import { listen } from '../listen.ts'
import { loadConfig } from '../load-config.ts'
import { run } from '../run.ts'

const say = (line: string) => writeSync(1, `${line}\n`)

// A small service with every way to end, as a process for run.spec.ts.
await run(
  'fixture',
  async (scope, env) => {
    const { mode } = loadConfig({
      name: 'fixture',
      schema: z.object({ mode: z.string(), limit: z.number().max(10).default(1) }),
      env,
    })
    const server = createServer()
    const isOpen = mode !== 'idle' && mode !== 'release-stalls'
    if (isOpen) await listen(server, { host: '127.0.0.1', port: 0, what: 'fixture' })
    scope.defer(() => {
      server.close()
      say('released server')
    })
    scope.defer(() => {
      say(`released first, aborted ${scope.signal.aborted}`)
    })
    if (mode === 'start-fails') throw new Error('the fixture cannot start')
    if (mode === 'release-hangs') scope.defer(() => new Promise(() => setInterval(say, 1e6, '')))
    if (mode === 'release-stalls') scope.defer(() => new Promise(() => undefined))
    if (mode === 'release-fails') scope.defer(() => Promise.reject(new Error('cannot release')))
    if (mode === 'leaks') setInterval(say, 1e6, '')
    if (mode === 'unhandled') void Promise.reject(new Error('nobody waits for this'))
    say('started')
    if (mode === 'start-hangs') await new Promise(() => setInterval(say, 1e6, ''))
    if (mode === 'start-is-slow') {
      await new Promise((resolve) => scope.signal.addEventListener('abort', resolve))
      scope.defer(() => {
        say('released late')
      })
    }
  },
  { shutdownTimeoutMs: 300 },
)
