// Writes a tiny GGUF model with random weights:
//   node tools/make-tiny-gguf.ts --out FILE [--layers N] [--dim N] [--heads N] [--kv-heads N]
//     [--ff N] [--ctx N] [--seed N] [--eos-bias X] [--sparse]
import { parseArgs } from 'node:util'
import { tinyGguf, writeGgufImage, type TinyGgufOptions } from '@berth/model-files'

const FLAGS = {
  layers: 'layers',
  dim: 'dim',
  heads: 'heads',
  'kv-heads': 'kvHeads',
  ff: 'feedForward',
  ctx: 'contextTokens',
  seed: 'seed',
  'eos-bias': 'eosBias',
} as const satisfies Record<string, keyof TinyGgufOptions>

const text = { type: 'string' } as const
const { values } = parseArgs({
  options: {
    out: text,
    sparse: { type: 'boolean' },
    ...(Object.fromEntries(Object.keys(FLAGS).map((flag) => [flag, text])) as Record<
      keyof typeof FLAGS,
      typeof text
    >),
  },
})
if (values.out === undefined) throw new Error('--out FILE is missing')
const given = Object.entries(FLAGS).flatMap(([flag, option]) => {
  const value = values[flag as keyof typeof FLAGS]
  return value === undefined ? [] : [[option, Number(value)] as const]
})
const options: TinyGgufOptions = Object.fromEntries(given)
const image = tinyGguf({ ...options, isSparse: values.sparse ?? false })
await writeGgufImage(values.out, image)
process.stdout.write(`${values.out}: ${image.sizeBytes} bytes\n`)
