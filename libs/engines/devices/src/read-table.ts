import { linesOf } from './cell.ts'

/** A row of a table by the name of its column, as the query has it: `memory.total`. */
export type TableRow = Readonly<Partial<Record<string, string>>>

/** More than any host has of GPUs and of processes on them. */
const ROWS_MAX = 4_096

/**
 * Rows of a `--format=csv` answer. A header names the columns, units in brackets dropped; without
 * one they are `fields`. Lines with too few cells are messages, not rows. A cell of the column
 * `free` may hold commas.
 */
export const readTable = (text: string, fields: readonly string[], free?: string): TableRow[] => {
  const rows: TableRow[] = []
  let columns = fields
  for (const line of linesOf(text)) {
    if (rows.length >= ROWS_MAX) break
    const cells = line.split(',').map((cell) => cell.trim())
    if (isHeader(cells)) columns = cells.map((cell) => cell.replace(/\s*\[.*\]$/, ''))
    else if (columns.length > 0 && cells.length >= columns.length)
      rows.push(toRow(columns, cells, free))
  }
  return rows
}

const HEADINGS: ReadonlySet<string> = new Set(['uuid', 'gpu_uuid', 'index', 'pid'])

const isHeader = (cells: readonly string[]): boolean => cells.some((cell) => HEADINGS.has(cell))

const toRow = (
  columns: readonly string[],
  cells: readonly string[],
  free: string | undefined,
): TableRow => {
  const surplus = cells.length - columns.length
  const at = free === undefined ? -1 : columns.indexOf(free)
  const joined =
    surplus > 0 && at >= 0
      ? [
          ...cells.slice(0, at),
          cells.slice(at, at + surplus + 1).join(', '),
          ...cells.slice(at + surplus + 1),
        ]
      : cells
  return Object.fromEntries(columns.map((column, index) => [column, joined[index] ?? '']))
}
