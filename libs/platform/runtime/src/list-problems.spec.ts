import { expect, it } from '@jest/globals'
import { z } from 'zod'
import { listProblems } from './list-problems.ts'

const schema = z.strictObject({
  pools: z.array(
    z.strictObject({
      id: z.string('is missing'),
      devices: z.array(z.union([z.number(), z.literal('cpu')])),
    }),
  ),
})
const problems = (document: unknown, prefix?: string) => {
  const result = schema.safeParse(document)
  return result.error ? listProblems(result.error, prefix) : []
}

it('names the place of each problem as a path', () => {
  const document = {
    pools: [
      { id: 'a', devices: [] },
      { devices: ['gpu'], nmae: 'b' },
    ],
    x: 1,
  }
  expect(problems(document)).toEqual([
    'pools[1].id: is missing',
    expect.stringMatching(/^pools\[1\]\.devices\[0\]: /),
    'pools[1].nmae: is not a known setting',
    'x: is not a known setting',
  ])
})

it('names the place of a document that is wrong as a whole', () => {
  expect(problems(7, 'pools[3]')).toEqual([expect.stringMatching(/^pools\[3\]: Invalid input/)])
  expect(problems(7, 'pools.yaml: ')).toEqual([expect.stringMatching(/^pools\.yaml: Invalid/)])
  expect(problems(7)).toEqual([expect.stringMatching(/^Invalid input/)])
})

it('puts the place of the document in front', () => {
  expect(problems({ pools: [], x: 1 }, 'hosts[2]')).toEqual(['hosts[2].x: is not a known setting'])
  expect(problems({ pools: [], x: 1 }, 'pools.yaml: ')).toEqual([
    'pools.yaml: x: is not a known setting',
  ])
})
