import { FLAGS, isOf } from './flags.ts'

/** What a command line of vLLM says, by its flags. */
export interface Arguments {
  readonly model: string
  readonly values: ReadonlyMap<string, string>
  readonly has: (flag: string) => boolean
}

export type ReadArgv =
  | { readonly kind: 'arguments'; readonly arguments: Arguments }
  | { readonly kind: 'version' }
  /** As argparse says it, with exit code 2. */
  | { readonly kind: 'error'; readonly lines: readonly string[] }

const MODULE = 'vllm.entrypoints.openai.api_server'

/**
 * Reads `serve MODEL --flag ...` of the program, `-m vllm.entrypoints.openai.api_server ...` of a
 * Python, and the questions for the version of both, as argparse of `version` would.
 */
export const readArgv = (argv: readonly string[], version: string): ReadArgv => {
  if (argv[0] === '--version' || argv[0] === '-v' || argv[0] === '-c') return { kind: 'version' }
  const isModule = argv[0] === '-m'
  const program = isModule ? 'api_server.py' : 'vllm'
  const error = (message: string): ReadArgv => ({
    kind: 'error',
    lines: [
      `usage: ${isModule ? program : 'vllm serve [model_tag] [options]'}`,
      `${program}: error: ${message}`,
    ],
  })
  if (isModule && argv[1] !== MODULE) return error(`No module named ${argv[1]}`)
  if (!isModule && argv[0] !== 'serve')
    return error(`argument subparser: invalid choice: '${argv[0]}'`)
  const rest = [...argv.slice(isModule ? 2 : 1)]
  const tag = !isModule && rest[0]?.startsWith('-') === false ? rest.shift() : undefined
  const values = new Map<string, string>()
  const unknown: string[] = []
  while (rest.length > 0) {
    const [name = '', inline] = (rest.shift() ?? '').split(/=(.*)/s)
    const flag = FLAGS[name]
    if (!flag || !isOf(flag, version)) {
      unknown.push(name)
      continue
    }
    const taken = flag.kind === 'switch' ? 'true' : (inline ?? takeValue(rest, flag.kind))
    const problem = problemOf(name, taken)
    if (problem !== undefined) return error(`argument ${name}: ${problem}`)
    values.set(name, taken!)
  }
  if (unknown.length > 0) return error(`unrecognized arguments: ${unknown.join(' ')}`)
  const model = tag ?? values.get('--model') ?? 'Qwen/Qwen3-0.6B'
  return { kind: 'arguments', arguments: { model, values, has: (flag) => values.has(flag) } }
}

/** What begins like a flag is none of its values. */
const takeValue = (rest: string[], kind: string): string | undefined => {
  const taken: string[] = []
  while (
    rest[0] !== undefined &&
    !/^-[^\d]/.test(rest[0]) &&
    (kind === 'texts' || taken.length === 0)
  )
    taken.push(rest.shift()!)
  return taken[0]
}

const problemOf = (name: string, value: string | undefined): string | undefined => {
  const { kind, choices } = FLAGS[name]!
  if (value === undefined) return 'expected one argument'
  if (kind === 'int' && !/^-?\d+$/.test(value)) return `invalid int value: '${value}'`
  if (kind === 'float' && !Number.isFinite(Number(value))) return `invalid float value: '${value}'`
  if (choices && !choices.includes(value))
    return `invalid choice: '${value}' (choose from ${choices.join(', ')})`
  return undefined
}
