import { dirname, delimiter } from 'node:path'
import { systemClock } from '@berth/runtime'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-code.ts'
import { findNatsServer } from './find-nats-server.ts'
import type { Paths } from './paths.ts'
import { prepareLlamaServer } from './prepare-llama-server.ts'
import { installEmbeddedRuntime, makeTinyModel } from './prepare-pools.ts'
import type { CommandContext } from './run-command.ts'
import { runSuite } from './run-suite.ts'
import { SUITE_NAMES, SUITES, type Suite } from './suites.ts'
import { countsLine } from './test-counts.ts'
import { summarise, type SuiteOutcome } from './test-summary.ts'

export interface TestContext extends CommandContext {
  readonly paths: Paths
  readonly options: { readonly only?: readonly string[]; readonly full: boolean }
}

/** Runs the suites one after the other; the last line sums them up. */
export const test = async (context: TestContext): Promise<number> => {
  const { terminal, paths, signal } = context
  const suites = chooseSuites(context.options)
  const clock = systemClock()
  const env = { ...process.env, ...(await installPrograms(context, suites)) }
  const outcomes: SuiteOutcome[] = []
  for (const suite of suites) {
    terminal.print(`\n== ${suite.title} (${suite.name}) ==`)
    const began = clock.now()
    const result = await runSuite({ paths, clock, suite, env, isShown: true, signal })
    outcomes.push({ ...result, suite, tookMs: clock.now() - began })
    terminal.print(countsLine(result.counts))
  }
  for (const line of summarise(outcomes)) terminal.print(line)
  return outcomes.some(({ counts }) => counts.failed > 0) ? EXIT.failed : EXIT.ok
}

const chooseSuites = ({ only, full }: TestContext['options']): readonly Suite[] => {
  const names = only?.flatMap((each) => each.split(',')).filter((name) => name !== '')
  const unknown = names?.find((name) => !SUITE_NAMES.includes(name))
  if (unknown !== undefined)
    throw new CliError(
      EXIT.usage,
      `There is no suite called ${unknown}.`,
      `Choose from ${SUITE_NAMES.join(', ')}.`,
    )
  return SUITES.filter(({ name, isOnlyInFull }) => names?.includes(name) ?? (full || !isOnlyInFull))
}

/** Suites that start NATS or engines. */
const NEEDS_PROGRAMS = new Set(['unit', 'integration', 'conformance', 'chaos', 'containers'])

/** Suites that run the real llama-server beside the simulator. */
const NEEDS_LLAMA_SERVER = new Set(['conformance', 'chaos'])

const installPrograms = async (
  context: TestContext,
  suites: readonly Suite[],
): Promise<Record<string, string>> => {
  if (!suites.some(({ name }) => NEEDS_PROGRAMS.has(name))) return {}
  const { paths, terminal, signal } = context
  const common = { paths, terminal, signal, clock: systemClock() }
  const nats = await findNatsServer({ ...common, env: process.env })
  await installEmbeddedRuntime(common)
  await makeTinyModel(common)
  if (suites.some(({ name }) => NEEDS_LLAMA_SERVER.has(name))) await prepareLlamaServer(common)
  return {
    PATH: [dirname(nats.path), process.env['PATH'] ?? ''].join(delimiter),
    BERTH_EMBEDDED_RUNTIME_DIR: paths.embeddedRuntimeDir,
  }
}
