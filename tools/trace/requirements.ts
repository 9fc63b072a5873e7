/** One row of docs/requirements.tsv. */
export interface Requirement {
  readonly id: string
  readonly seed: string
  readonly area: string
  readonly kind: string
  readonly statement: string
  /** `corrected: ...` where the design settles it otherwise; then that is what must hold. */
  readonly note: string
}

/** The rows below the heading. Throws on a row that is not whole or an id that comes twice. */
export const readRequirements = (tsv: string): readonly Requirement[] => {
  const seen = new Set<string>()
  const [, ...lines] = tsv.trimEnd().split('\n')
  return lines.map((line, index) => {
    const [id, seed, area, kind, statement, note] = line.split('\t')
    const where = `requirements.tsv:${index + 2}`
    if (!id || !seed || !area || !kind || !statement) throw new Error(`${where}: not a whole row`)
    if (seen.has(id)) throw new Error(`${where}: ${id} stands there twice`)
    seen.add(id)
    return { id, seed, area, kind, statement, note: note ?? '' }
  })
}
