import { create } from '@bufbuild/protobuf'
import { expect, it } from '@jest/globals'
import { OperationSchema, OperationStatus } from '@berth/contract'
import { createSimClock } from '@berth/kernel/testing'
import { paceOperations } from './pace-operations.ts'

const at = (step: string, status: OperationStatus = OperationStatus.IN_PROGRESS) =>
  create(OperationSchema, { operationId: 'o', step, status })

it('tells the first and the last at once, and the latest in between twice a second', async () => {
  const clock = createSimClock()
  const told: string[] = []
  using paced = paceOperations(clock, ({ step }) => void told.push(step))
  paced.changed(at('drain'), '')
  paced.changed(at('stage'), '')
  paced.changed(at('stop'), '')
  expect(told).toEqual(['drain'])
  await clock.advance(500)
  expect(told).toEqual(['drain', 'stop'])
  paced.changed(at('start'), '')
  await clock.advance(400)
  expect(told).toEqual(['drain', 'stop'])
  paced.changed(at('done', OperationStatus.COMPLETED), '')
  expect(told).toEqual(['drain', 'stop', 'done'])
  await clock.advance(5_000)
  expect(told).toEqual(['drain', 'stop', 'done'])
})

it('holds nothing of an operation that rests, and nothing at all once disposed', async () => {
  const clock = createSimClock()
  const told: string[] = []
  const paced = paceOperations(clock, ({ step }) => void told.push(step))
  paced.changed(at('drain'), '')
  await clock.advance(500)
  paced.changed(at('stop'), '')
  paced.changed(at('start'), '')
  paced[Symbol.dispose]()
  await clock.advance(5_000)
  expect(told).toEqual(['drain', 'stop'])
})
