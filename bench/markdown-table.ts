type Cell = string | number | null | undefined

/** Rows of one kind as a table for a document, a column for each field; numbers on the right. */
export const markdownTable = <Row extends { readonly [Name in keyof Row]: Cell }>(
  table: readonly Row[],
): string => {
  const rows = table.map((row): Readonly<Record<string, Cell>> => ({ ...row }))
  const names = Object.keys(rows[0] ?? {})
  const cells = rows.map((row) => names.map((name) => textOf(row[name])))
  const widths = names.map((name, at) =>
    Math.max(3, name.length, ...cells.map((row) => row[at]!.length)),
  )
  const isNumber = names.map((name) => rows.every((row) => typeof row[name] !== 'string'))
  const line = (texts: readonly string[]) =>
    `| ${texts.map((text, at) => fit(text, widths[at]!, isNumber[at]!)).join(' | ')} |`
  const rule = widths.map((width, at) =>
    isNumber[at] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  )
  return `${[line(names.map(spoken)), line(rule), ...cells.map(line)].join('\n')}\n`
}

const spoken = (name: string): string => name.replaceAll('_', ' ')

const textOf = (cell: Cell): string =>
  typeof cell === 'number' ? cell.toLocaleString('en-US') : (cell ?? '')

const fit = (text: string, width: number, isNumber: boolean): string =>
  isNumber ? text.padStart(width) : text.padEnd(width)
