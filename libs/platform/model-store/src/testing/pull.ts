// Pulls one model as a process of its own, which ends then or stays:
//   node pull.ts ROOT REF PRIVATE_HOST[,PRIVATE_HOST] [leave|stay]
import { argv, stdout } from 'node:process'
import { sleep } from '@berth/kernel'
import { systemClock } from '@berth/runtime'
import { createTestStore } from './test-store.ts'

const [root = '', ref = '', hosts = '', end = 'leave'] = argv.slice(2)
const store = await createTestStore([], {
  root,
  egress: { privateHosts: hosts.split(','), hasDefaults: false },
})
const model = await store.ensurePresent(ref, { want: 'gguf' })
await store.dispose()
stdout.write(`${JSON.stringify(model)}\n`)
if (end === 'stay') await sleep(systemClock(), 60_000)
