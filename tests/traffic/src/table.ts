import { figuresOf, type TrafficReport } from './report.ts'

const SHOWN_MISHAPS = 5

/** A report as text: every number, then the first mishaps of each class. */
export const tableOf = (report: TrafficReport): string => {
  const figures = Object.entries(figuresOf(report)).map(([name, value]) => [name, String(value)])
  const width = Math.max(...figures.map(([name = '']) => name.length))
  const lines = figures.map(
    ([name = '', value = '']) => `${name.padEnd(width)} ${value.padStart(8)}`,
  )
  const { failed, terminalErrors, truncated, mismatched } = report
  const classes = Object.entries({ failed, terminalErrors, truncated, mismatched })
  const mishaps = classes.flatMap(([name, list]) =>
    list
      .slice(0, SHOWN_MISHAPS)
      .map(({ correlationId, code, pool }) => `${name}: ${correlationId} ${pool ?? '-'} ${code}`),
  )
  return [...lines, ...mishaps].join('\n')
}
