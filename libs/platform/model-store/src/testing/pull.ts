// Pulls one model as a process of its own: node pull.ts ROOT REF PRIVATE_HOST[,PRIVATE_HOST]
import { argv, stdout } from 'node:process'
import { createTestStore } from './test-store.ts'

const [root = '', ref = '', hosts = ''] = argv.slice(2)
const store = await createTestStore([], {
  root,
  egress: { privateHosts: hosts.split(','), hasDefaults: false },
})
const model = await store.ensurePresent(ref, { want: 'gguf' })
await store.dispose()
stdout.write(`${JSON.stringify(model)}\n`)
