import { expect, it } from '@jest/globals'
import { z } from 'zod'
import { describeSettings, settingsJsonSchema } from './describe-settings.ts'
import { settingGroup } from './setting.ts'

const schema = z.object({
  file: z.string().describe('A file.'),
  queue: settingGroup({
    capacity: z.number().int().positive().max(9).default(4).describe('Places.'),
  }),
  weights: z.strictObject({ high: z.number().positive().describe('Share.') }).optional(),
})

it('a setting is described by its names, its type, its default and its meaning', () => {
  expect(describeSettings(schema)).toEqual([
    {
      ...{ name: 'file', flag: '--file', variable: 'BERTH_FILE', type: 'string' },
      ...{ default: undefined, isRequired: true, meaning: 'A file.' },
    },
    {
      ...{ name: 'queue.capacity', flag: '--queue-capacity', variable: 'BERTH_QUEUE_CAPACITY' },
      ...{ type: 'integer, from 1 to 9', default: '4', isRequired: false, meaning: 'Places.' },
    },
    {
      ...{ name: 'weights.high', flag: '--weights-high', variable: 'BERTH_WEIGHTS_HIGH' },
      ...{ type: 'number, more than 0', default: undefined, isRequired: false, meaning: 'Share.' },
    },
  ])
})

it('the JSON Schema of a file nests as the file does, and knows no other keys', () => {
  expect(settingsJsonSchema(schema)).toMatchObject({
    type: 'object',
    required: ['file'],
    additionalProperties: false,
    properties: {
      queue: {
        additionalProperties: false,
        properties: { capacity: { type: 'integer', maximum: 9, default: 4 } },
      },
      weights: { required: ['high'] },
    },
  })
})
