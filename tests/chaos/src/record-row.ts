import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { figuresOf, tableOf, type Figures, type TrafficReport } from '@berth/traffic'

const DIR = join(import.meta.dirname, '..', '..', '..', 'tmp', 'resilience')

/**
 * Keeps the figures of one row of the failure table as `tmp/resilience/<row>.json`, and prints
 * them as a line of JSON. Answers the figures, to assert on.
 */
export const recordRow = async (
  row: string,
  report: TrafficReport,
  measured: Readonly<Record<string, number | undefined>> = {},
): Promise<Figures> => {
  const figures = figuresOf(report)
  const line = JSON.stringify({ row, ...figures, ...measured })
  await mkdir(DIR, { recursive: true })
  await writeFile(join(DIR, `${row}.json`), `${line}\n`)
  process.stdout.write(`${line}\n`)
  if (figures.sent !== figures.ok + figures.left) process.stdout.write(`${tableOf(report)}\n`)
  return figures
}

/** Nothing went wrong with any client. */
export const UNHARMED: Partial<Figures> = {
  failed: 0,
  terminalErrors: 0,
  truncated: 0,
  mismatched: 0,
  duplicated: 0,
  leaked: 0,
}
