import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { CliError } from './cli-error.ts'
import { splitRef, type EngineChoice } from './engine-choice.ts'
import { EXIT } from './exit-code.ts'

/** Ends with `up`, and in less time than it gives the agent to end. */
const STOPPING = { stop_on_exit: true, shutdown_grace_s: 2 }

/** The entry of the pools file for a choice; `model` is a reference with an absolute path. */
export const poolEntry = (
  { engine, url, program }: EngineChoice,
  model: string,
  devices: readonly string[],
): object => ({
  ...{ id: 'local', engine, model },
  ...(url === undefined ? {} : { mode: 'monitored', url }),
  ...(SLOTS[engine] === undefined ? {} : { slots: SLOTS[engine] }),
  ...(devices.length === 0 ? {} : { devices }),
  ...(url === undefined
    ? { lifecycle: { ...STOPPING, ...(program === undefined ? {} : { binary_path: program }) } }
    : {}),
})

/** Of engines that reserve memory for each. */
const SLOTS: Readonly<Partial<Record<EngineChoice['engine'], number>>> = {
  embedded: 2,
  llamacpp: 2,
}

/** A simulator, and a server that somebody else runs. */
export const plainEntry = (entry: object): object => ({
  id: 'local',
  ...entry,
  lifecycle: STOPPING,
})

/**
 * The model of an entry: paths are made absolute and seen to be there; names of servers that run,
 * and other schemes, stay as they are. Throws a `CliError` for a file that is missing.
 */
export const modelOfEntry = ({ engine, url }: EngineChoice, ref: string): string => {
  const { scheme, rest } = splitRef(ref)
  if (engine === 'ollama') return scheme === 'ollama' ? rest : ref
  if (scheme !== '' && scheme !== 'file') return ref
  const isName = scheme === '' && (url !== undefined || engine === 'vllm')
  const path = resolve(rest.replace(/^\/\/(?=\/)/, ''))
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isFile() || (engine === 'vllm' && found?.isDirectory())) return `file:${path}`
  if (isName) return ref
  throw new CliError(
    EXIT.config,
    `There is no model file ${path}.`,
    'Name a GGUF file, or where to get one: hf:ORG/NAME-GGUF:Q4_K_M, https://..., ollama:NAME, oci:...',
  )
}
