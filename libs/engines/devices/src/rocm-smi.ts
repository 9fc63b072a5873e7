import { memoryOf, MIB, nameOf, readNumber, readWhole } from './cell.ts'

/** One card as `rocm-smi --json` shows it. What it cannot tell is absent. */
export interface CardReading {
  readonly index: number
  /** Such as `GPU-5c88007d760374f3`, as ROCr names it; absent where the card has none. */
  readonly uuid?: string
  readonly name: string
  readonly memoryTotalBytes?: number
  readonly memoryFreeBytes?: number
  readonly utilizationPercent?: number
  readonly temperatureC?: number
  readonly driverVersion?: string
}

/** The command line that `readCards` reads the answer of; without selectors memory is missing. */
export const CARD_ARGS: readonly string[] = [
  ...['--showmeminfo', 'vram', '--showuse', '--showtemp', '--showproductname'],
  ...['--showuniqueid', '--showdriverversion', '--json'],
]

const TEXT_MAX_CHARS = 1_048_576

/**
 * Reads `rocm-smi --json`. Releases differ in the case of keys and in what stands before the JSON
 * (warnings of Python); a fork counts memory in MiB. Anything but a card is passed over.
 */
export const readCards = (text: string): CardReading[] => {
  const answer = parse(text.slice(0, TEXT_MAX_CHARS))
  const driverVersion = stringAt(lowerKeys(answer['system']), 'driver version')
  return Object.entries(answer).flatMap(([key, value]) => {
    const [, index] = /^card(\d{1,4})$/.exec(key) ?? []
    return index === undefined ? [] : [toReading(Number(index), lowerKeys(value), driverVersion)]
  })
}

const parse = (text: string): Record<string, unknown> => {
  // A warning may hold a brace too: the first one that starts an object whose key is a string.
  const start = /\{\s*"/.exec(text)?.index
  if (start === undefined) return {}
  try {
    return JSON.parse(text.slice(start, text.lastIndexOf('}') + 1)) as Record<string, unknown>
  } catch {
    // Not JSON: no cards, as with a tool that is not there.
    return {}
  }
}

type Values = Readonly<Partial<Record<string, string>>>

const lowerKeys = (value: unknown): Values =>
  typeof value !== 'object' || value === null
    ? {}
    : Object.fromEntries(
        Object.entries(value).flatMap(([key, cell]) =>
          typeof cell === 'string' || typeof cell === 'number'
            ? [[key.toLowerCase(), String(cell)]]
            : [],
        ),
      )

const toReading = (index: number, card: Values, driverVersion: string | undefined): CardReading => {
  const uuid = readUuid(card['unique id'])
  const utilizationPercent = readWhole(card['gpu use (%)'] ?? card['dcu use (%)'], 100)
  const temperatureC = readWhole(
    [card['temperature (sensor edge) (c)'], card['temperature (sensor junction) (c)']].find(
      (cell) => readNumber(cell) !== undefined,
    ),
    250,
  )
  return {
    index,
    ...(uuid === undefined ? {} : { uuid }),
    name: nameOf(nameIn(card), 'AMD GPU'),
    ...memory(card),
    ...(utilizationPercent === undefined ? {} : { utilizationPercent }),
    ...(temperatureC === undefined ? {} : { temperatureC }),
    ...(driverVersion === undefined ? {} : { driverVersion }),
  }
}

const memory = (card: Values) => {
  const [unit, bytes] = card['vram total memory (b)'] === undefined ? ['mib', MIB] : ['b', 1]
  const total = readNumber(card[`vram total memory (${unit})`])
  const used = readNumber(card[`vram total used memory (${unit})`])
  if (total === undefined) return {}
  return memoryOf(total * bytes, used === undefined ? undefined : Math.max(0, total - used) * bytes)
}

/** Old releases give numbers of the vendor where the name belongs. */
const nameIn = (card: Values): string | undefined =>
  ['card series', 'device name', 'card model']
    .map((key) => stringAt(card, key))
    .find((name) => name !== undefined && !/^0x[\da-f]+$/i.test(name))

const stringAt = (values: Values, key: string): string | undefined => {
  const value = values[key]?.trim().slice(0, 256)
  return value === undefined || value === '' || /^n\/a$/i.test(value) ? undefined : value
}

/** ROCr wants sixteen digits; the tool leaves out leading zeros. */
const readUuid = (cell: string | undefined): string | undefined => {
  const [, digits] = /^(?:0x)?([\da-f]{1,16})$/i.exec(cell?.trim() ?? '') ?? []
  return digits === undefined ? undefined : `GPU-${digits.toLowerCase().padStart(16, '0')}`
}
