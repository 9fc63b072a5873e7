/** One line of a scrape. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A series as the text announces it, with its samples. */
export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly Sample[]
}

/** Reads the Prometheus text format, version 0.0.4. Throws for a line that is none of it. */
export const readPrometheusText = (text: string): ReadonlyMap<string, Family> => {
  const families = new Map<string, Family & { samples: Sample[]; type: string }>()
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const [, help, helpText] = /^# HELP (\S+) (.*)$/.exec(line) ?? []
    const [, typed, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
    if (help !== undefined) {
      families.set(help, { name: help, type: '', help: helpText ?? '', samples: [] })
    } else if (typed !== undefined) {
      const family = families.get(typed)
      if (!family || !type) throw new Error(`TYPE before HELP: ${line}`)
      family.type = type
    } else {
      const sample = readSample(line)
      const family =
        families.get(sample.name) ?? families.get(sample.name.replace(/_(bucket|sum|count)$/, ''))
      if (!family) throw new Error(`A sample of a series nobody announced: ${line}`)
      family.samples.push(sample)
    }
  }
  return families
}

const readSample = (line: string): Sample => {
  const [, name, inner = '', value] = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  if (name === undefined || Number.isNaN(Number(value))) throw new Error(`No sample: ${line}`)
  const labels: Record<string, string> = {}
  const rest = inner.replaceAll(/(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)/g, (_, label: string, text) => {
    if (label in labels) throw new Error(`A label twice: ${line}`)
    labels[label] = String(text)
    return ''
  })
  if (rest !== '') throw new Error(`No labels: ${line}`)
  return { name, labels, value: Number(value) }
}
