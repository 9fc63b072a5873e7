import { expect, it } from '@jest/globals'
import type { FoundDevice } from '@berth/devices'
import fc from 'fast-check'
import { foldLook, type ToolBook } from './fold-look.ts'
import type { ToolLook } from './tool-look.ts'

const device = fc
  .record({ index: fc.nat(3), uuid: fc.constantFrom('GPU-a', 'GPU-b', 'GPU-c', 'MIG-d') })
  .map(({ index, uuid }): FoundDevice => ({
    ...{ deviceId: String(index), uuid, name: 'x', computeCapability: '', cores: 0 },
    kind: uuid.startsWith('MIG') ? 'nvidia_mig' : 'nvidia',
    pciBusId: `0000:8${uuid.at(-1)!}:00`,
  }))
const fault = fc
  .constantFrom('tool_failed' as const, 'driver_mismatch' as const, 'device_lost' as const)
  .map((kind) => ({ kind, message: `It is ${kind}.` }))
const complaint = fc.oneof(
  fc.record({ fault }),
  fc.record({ fault, pciBusId: fc.constantFrom('0000:8a:00', '0000:8b:00', '0000:99:00') }),
)
const look: fc.Arbitrary<ToolLook> = fc.oneof(
  fc.constant({ kind: 'missing' as const }),
  fc.constant({ kind: 'silent' as const }),
  fc.record({
    kind: fc.constant('seen' as const),
    devices: fc.uniqueArray(device, { selector: ({ uuid }) => uuid }),
    complaints: fc.array(complaint, { maxLength: 2 }),
  }),
)
const empty: ToolBook = { tool: 'nvidia-smi', devices: [], misses: 0 }

it('whatever is seen, a device keeps its id and no two have the same', () => {
  fc.assert(
    fc.property(fc.array(look, { maxLength: 30 }), (looks) => {
      const ids = new Map<string, string>()
      let book = empty
      for (const each of looks) {
        book = foldLook(book, each)
        expect(new Set(book.devices.map(({ deviceId }) => deviceId)).size).toBe(book.devices.length)
        for (const { uuid, deviceId, kind } of book.devices) {
          // A slice that was taken away may come back by another name.
          if (kind === 'nvidia') expect(ids.get(uuid) ?? deviceId).toBe(deviceId)
          ids.set(uuid, deviceId)
        }
      }
    }),
  )
})

it('a GPU once seen is never forgotten, and a good look clears every fault of what it shows', () => {
  fc.assert(
    fc.property(fc.array(look, { maxLength: 30 }), fc.array(device), (looks, last) => {
      let book = empty
      const seen = new Set<string>()
      for (const each of looks) {
        if (each.kind === 'seen')
          for (const { uuid, kind } of each.devices) if (kind === 'nvidia') seen.add(uuid)
        book = foldLook(book, each)
      }
      const known = new Set(book.devices.map(({ uuid }) => uuid))
      expect([...seen].filter((uuid) => !known.has(uuid))).toEqual([])
      const devices = [...new Map(last.map((each) => [each.uuid, each])).values()]
      const after = foldLook(book, { kind: 'seen', devices, complaints: [] })
      const shown = new Set(devices.map(({ uuid }) => uuid))
      expect(after.devices.filter((each) => each.fault && shown.has(each.uuid))).toEqual([])
      expect(after.devices.filter((each) => !each.fault && !shown.has(each.uuid))).toEqual([])
      expect(after).not.toHaveProperty('fault')
    }),
  )
})
