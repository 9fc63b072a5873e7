import { create, toBinary } from '@bufbuild/protobuf'
import { DeviceLedgerSchema } from '@berth/contract'
import type { FoundDevice } from '@berth/devices'
import { DEFAULT_LEDGER_POLICY, emptyLedger } from '@berth/memory'
import { expect, it } from '@jest/globals'
import { ledgerMessage } from './ledger-message.ts'

const CPU: FoundDevice = {
  ...{ deviceId: 'cpu', uuid: 'cpu', kind: 'cpu', name: 'CPU', computeCapability: '', cores: 4 },
  memoryTotalBytes: 2 ** 34,
}

it.each([2 ** 70, Number.MAX_VALUE, Infinity])(
  'a figure of %d bytes, of a header that nobody checked, is still told to the fleet',
  (bytes) => {
    const share = {
      ...{ deviceId: 'cpu', estimateBytes: bytes, reservedBytes: bytes },
      ...{ usedBytes: bytes, shownBytes: 0 },
    }
    const ledger = {
      ...emptyLedger(DEFAULT_LEDGER_POLICY),
      entries: [
        {
          ...{ entryId: 'e', poolId: 'a', modelId: 'm', learnKey: 'k', correction: 1 },
          ...{ state: 'reserved' as const, shares: [share] },
        },
      ],
    }
    const [message] = ledgerMessage([CPU], { ledger })
    expect(
      toBinary(DeviceLedgerSchema, create(DeviceLedgerSchema, message)).length,
    ).toBeGreaterThan(0)
    expect(message?.entries?.[0]?.reservedBytes).toBe(BigInt(Number.MAX_SAFE_INTEGER))
  },
)
