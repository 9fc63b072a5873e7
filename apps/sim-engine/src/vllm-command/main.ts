// A vLLM for tests: `node main.ts WORLD.json serve MODEL --flag ...`, or the words of a Python.
import { processHost } from '../process-host.ts'
import { runVllm } from './run-vllm.ts'
import { readWorld } from './world.ts'

const [worldPath = '', ...argv] = process.argv.slice(2)
await runVllm({ host: processHost(), argv, env: process.env, world: readWorld(worldPath) })
