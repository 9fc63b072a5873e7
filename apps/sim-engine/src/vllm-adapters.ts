import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { answerJson } from './answer-json.ts'
import type { Call, Handler } from './dialect.ts'
import type { Engine } from './engine.ts'

/** Adapters that are loaded: their folders by their names. */
export type Adapters = Map<string, string>

/** How adapters come and go; no route where vLLM was not started for it. */
export const adapterRoutes = (
  engine: Engine,
  adapters: Adapters,
): readonly (readonly [string, Handler])[] =>
  engine.knobs.hasLora
    ? [
        ['POST /v1/load_lora_adapter', (call) => load(adapters, call)],
        ['POST /v1/unload_lora_adapter', (call) => unload(adapters, call)],
      ]
    : []

const load = (adapters: Adapters, { body, response }: Call): void => {
  const { lora_name: name, lora_path: path } = body
  if (typeof name !== 'string' || typeof path !== 'string')
    return refuse(response, 400, "Both 'lora_name' and 'lora_path' must be provided.")
  if (adapters.has(name))
    return refuse(response, 400, `The lora adapter '${name}' has already been loaded.`)
  if (!existsSync(join(path, 'adapter_config.json')))
    return refuse(response, 404, `Loading lora ${name} failed: No adapter found for ${path}`)
  adapters.set(name, path)
  say(response, `Success: LoRA adapter '${name}' added successfully.`)
}

const unload = (adapters: Adapters, { body, response }: Call): void => {
  const name = String(body.lora_name)
  if (!adapters.delete(name))
    return refuse(response, 404, `The lora adapter '${name}' cannot be found.`)
  say(response, `Success: LoRA adapter '${name}' removed successfully.`)
}

const say = (response: Call['response'], text: string): void => {
  response.writeHead(200, { 'content-type': 'text/plain' }).end(text)
}

const refuse = (response: Call['response'], status: number, message: string): void =>
  answerJson(response, status, {
    error: { message, type: status === 404 ? 'NotFoundError' : 'InvalidUserInput', code: status },
  })
