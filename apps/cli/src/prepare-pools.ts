import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Clock } from '@berth/kernel'
import { stringify } from 'yaml'
import { chooseAsked } from './asked-engine.ts'
import { CliError } from './cli-error.ts'
import { chooseEngine, type PoolChoice } from './engine-choice.ts'
import { EXIT } from './exit-code.ts'
import { findProgram } from './find-program.ts'
import { firstGpu, lookAround, TINY_MODEL } from './look-around.ts'
import type { Paths } from './paths.ts'
import { modelOfEntry, plainEntry, poolEntry } from './pool-entry.ts'
import { runTool } from './run-tool.ts'
import type { Terminal } from './terminal.ts'
import { watched } from './wait-until.ts'

/** What making and installing things takes. */
export type Preparation = Omit<PreparePoolsOptions, 'choice'>

export interface PreparePoolsOptions {
  readonly paths: Paths
  readonly clock: Clock
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly choice: PoolChoice
}

/**
 * The path of the pools file: the person's own, or one written for a single pool of the engine
 * asked for, with what that engine needs installed first.
 */
export const preparePools = async (options: PreparePoolsOptions): Promise<string> => {
  const { choice, paths } = options
  if (choice.pools !== undefined) {
    const file = existing(choice.pools, 'pools file', 'Name one with --pools FILE.')
    // The agent reads the file and lists what is wrong with it; this is about what to install.
    if (/\bembedded\b/.test(readFileSync(file, 'utf8'))) await installEmbeddedRuntime(options)
    return file
  }
  const file = join(paths.runDir, 'pools.yaml')
  mkdirSync(paths.runDir, { recursive: true })
  writeFileSync(file, stringify({ host: 'local', pools: [await planPool(options)] }))
  return file
}

const planPool = async (options: PreparePoolsOptions): Promise<object> => {
  const { choice, paths, terminal } = options
  const { engine, model } = choice
  if (engine === 'sim') return plainEntry({ engine, model: model ?? 'sim-model', slots: 4 })
  if (engine === 'openai') return plainEntry(openAiPool(choice))
  const around = await lookAround(paths, process.env)
  const chosen = engine === undefined ? chooseEngine(model, around) : chooseAsked(choice, around)
  if ('problem' in chosen) throw new CliError(EXIT[chosen.exit], chosen.problem, chosen.next)
  // Checked before anything is downloaded.
  const given = chosen.model === undefined ? undefined : modelOfEntry(chosen, chosen.model)
  if (engine === undefined) terminal.print(`✓ Engine: ${chosen.engine} (${chosen.why})`)
  if (chosen.engine === 'embedded') await installEmbeddedRuntime(options)
  const ref = given ?? `file:${await makeTinyModel(options)}`
  return poolEntry(chosen, ref, chosen.engine === 'vllm' ? await firstGpu(process.env) : [])
}

const openAiPool = ({ engineUrl, model }: PoolChoice): object => {
  if (engineUrl !== undefined && model !== undefined)
    return { engine: 'openai', mode: 'external', url: engineUrl, model }
  throw new CliError(
    EXIT.usage,
    'An openai engine needs the address of the server and the name of its model.',
    './berth up --engine openai --engine-url http://127.0.0.1:8000 --model NAME',
  )
}

const existing = (path: string, what: string, next: string): string => {
  const absolute = resolve(path)
  if (statSync(absolute, { throwIfNoEntry: false })?.isFile()) return absolute
  throw new CliError(EXIT.config, `There is no ${what} ${absolute}.`, next)
}

/** The path of the tiny model, which is made where there is none. */
export const makeTinyModel = async (options: Preparation): Promise<string> => {
  const { paths, signal } = options
  const path = join(paths.modelsDir, TINY_MODEL)
  if (existsSync(path)) return path
  mkdirSync(paths.modelsDir, { recursive: true })
  const half = `${path}.${process.pid}`
  await watched({ ...options, label: 'Making a tiny model' }, () =>
    runTool(paths, {
      argv: [process.execPath, join(paths.root, 'tools/make-tiny-gguf.ts'), '--out', half],
      name: 'make-model',
      signal,
      failure: {
        message: 'The tiny model could not be made.',
        next: 'Name a model of your own: ./berth up --model FILE.gguf.',
      },
    }),
  )
  renameSync(half, path)
  return path
}

/** Installs what the bundled engine loads; quick when it is there, which the tool verifies. */
export const installEmbeddedRuntime = async (options: Preparation): Promise<void> => {
  const { paths, signal } = options
  const tool = join(paths.root, 'tools/install-embedded-runtime.ts')
  const hasNpm = findProgram('npm', process.env) !== undefined
  await watched({ ...options, label: 'Preparing the embedded engine' }, () =>
    runTool(paths, {
      argv: [process.execPath, tool, paths.embeddedRuntimeDir],
      name: 'install-engine',
      signal,
      failure: {
        message: 'The embedded engine could not be installed.',
        next: hasNpm
          ? 'Check the network, or try ./berth up --engine sim.'
          : 'Install npm, or try ./berth up --engine sim.',
      },
    }),
  )
}
